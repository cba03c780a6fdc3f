"""Spreads many files over a Ray cluster's nodes, each of which embeds one file after another."""
