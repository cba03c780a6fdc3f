"""Holds what docs/stability.md promises to what earlier releases had: contracts, names, and bundles that they wrote."""
