"""gRPC calls to inbound calls, and answers back from any thread. Knows nothing of embeddings."""
