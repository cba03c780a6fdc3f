"""Tests of bulk.ray."""
