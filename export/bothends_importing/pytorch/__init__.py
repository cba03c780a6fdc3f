"""Imports custom modules; a TOML says what the names and shapes of their tensors don't."""
