"""Tests of server/fronts/ollama."""
