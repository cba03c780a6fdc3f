"""Callers of a server: sentences to embeddings over gRPC, blocking or on asyncio. Knows no model and no engine."""
