"""Tests of server/ray."""
