"""Mutation testing: faults are put into a copy of the tree, and their room's tests should notice (`make mutate`)."""
