"""Imports custom modules; a TOML file describes what the names and shapes of their tensors don't show."""
