"""A model under the fixed degradations of evaluation."""
