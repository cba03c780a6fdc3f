"""What is wrong with an ONNX or TorchScript sentence encoder that somebody else exported, and how to repair it."""
