"""Fine-tuning a finished run on new data beside its own: transfer and merge."""
