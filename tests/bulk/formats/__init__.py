"""Tests of bulk.formats."""
