"""Tests of export/graph."""
