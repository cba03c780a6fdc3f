"""An ONNX or TorchScript sentence encoder that was exported elsewhere, to its mistakes and a repaired file."""
