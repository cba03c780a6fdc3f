"""Reads tensors and plain data from files of weights. Nothing in a file is ever run."""
