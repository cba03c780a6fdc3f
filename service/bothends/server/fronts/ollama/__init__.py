"""Front of Ollama's API, over HTTP: what its clients ask of a model that embeds."""
