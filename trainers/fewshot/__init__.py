"""Few-shot learning on the embeddings of a finished run: what a few clips of a new method are worth."""
