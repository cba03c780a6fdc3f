"""text-embeddings-inference's API in Python, generated from proto/bothends/tei by `make proto`."""
