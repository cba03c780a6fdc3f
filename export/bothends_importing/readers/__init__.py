"""Reads tensors and plain data out of files of weights. Nothing in a file is ever run."""
