"""Training-like consumers that are killed and resumed again and again: see `python -m benchmarks.soak --help`."""
