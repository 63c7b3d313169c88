"""From bytes on disk to batches on a device; knows nothing of models."""
