"""Tests of server/fronts."""
