"""Front of text-embeddings-inference's API, over HTTP and gRPC, for its clients."""
