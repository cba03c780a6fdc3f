"""Tests of server/fronts/page."""
