"""Tests of importing encoders that others trained."""
