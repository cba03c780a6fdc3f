"""OpenAI's embeddings API, over HTTP."""
