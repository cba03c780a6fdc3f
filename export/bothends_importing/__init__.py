"""Encoders that others trained, from the files that their libraries wrote to checkpoints of ours."""
