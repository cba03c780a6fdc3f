"""Repairs: each is proved equal to PyTorch before it is written."""
