"""Metrics, traces and logs of what the server does. No value in them ever holds a caller's text."""
