"""Other loaders, one a file: each is imported only when it enters."""
