"""Tests of docs/guides/: every command and program of a page is run as it stands there."""
