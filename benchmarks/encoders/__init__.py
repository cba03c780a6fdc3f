"""Encoders that people bring, of many sizes, cells and poolings: the native engine beside onnxruntime and PyTorch."""
