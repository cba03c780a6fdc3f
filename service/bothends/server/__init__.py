"""The server: it answers gRPC and HTTP, and guards the embedder with keys, limits and fair turns."""
