"""DNA-Det beyond its network: pre-training on image transformations, its settings, its tests (arXiv 2202.13843)."""
