"""What only a GPU can show: each module is a script of its own, tried on a CPU with `--device cpu` at small sizes."""
