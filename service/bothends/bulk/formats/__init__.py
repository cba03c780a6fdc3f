"""Bytes of a file to rows of sentences, and embeddings back to bytes, one module a format. Knows no model."""
