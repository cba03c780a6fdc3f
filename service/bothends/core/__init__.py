"""Sentences to embeddings in one process, by a model that is proved again and again. Knows no gRPC and no HTTP."""
