"""Attacks on turns: callers who want the service for themselves, each beside a neighbour who is measured.

`python -m tests.chaos.turns NAME` runs those of a name and prints a line for each.
"""
