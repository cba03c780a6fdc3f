"""Custom modules of PyTorch."""
