"""Finds mistakes in a sentence encoder that was exported elsewhere, as ONNX or TorchScript, and repairs them."""
