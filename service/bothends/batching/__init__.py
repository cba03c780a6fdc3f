"""Waiting sentences to batches: in whose turn, in what company, by which thread. Knows no gRPC and no onnxruntime."""
