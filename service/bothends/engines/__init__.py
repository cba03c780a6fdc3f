"""Engines, which compute embeddings from token ids: onnxruntime on a CPU or GPU, and the native one on a CPU."""
