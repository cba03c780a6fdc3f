"""Tests of bothends doctor."""
