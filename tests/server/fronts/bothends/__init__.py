"""Tests of server/fronts/bothends."""
