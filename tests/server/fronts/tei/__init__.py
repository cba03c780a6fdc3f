"""Tests of server/fronts/tei."""
