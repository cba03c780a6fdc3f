"""Imports encoders that others trained, from the files that their libraries wrote, as checkpoints."""
