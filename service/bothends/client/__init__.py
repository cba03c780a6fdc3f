"""Clients that send sentences to a server over gRPC and get embeddings back, blocking or on asyncio."""
