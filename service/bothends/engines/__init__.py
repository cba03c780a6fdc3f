"""Token ids to embedding rows, by onnxruntime or the native engine. Knows no queue and no caller."""
