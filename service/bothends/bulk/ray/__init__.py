"""Distributes many files over the nodes of a Ray cluster, each of which embeds one file after another."""
