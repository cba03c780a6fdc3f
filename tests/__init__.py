"""Tests of bothends."""
