"""Tests of server/fronts/openai."""
