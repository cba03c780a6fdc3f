"""File formats, one module each: they read rows of sentences, and write embeddings."""
