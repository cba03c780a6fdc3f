"""Tests of server/fronts/kserve."""
