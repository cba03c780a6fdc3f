"""Exports a PyTorch encoder as a bundle that the service can serve, and proves that the two are equal."""
