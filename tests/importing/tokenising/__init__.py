"""Tokenisers from elsewhere, against the libraries that they come from."""
