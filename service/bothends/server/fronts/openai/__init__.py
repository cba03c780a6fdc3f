"""Front of OpenAI's embeddings API, over HTTP."""
