"""Settings to a running server: calls of any protocol to answers. Knows no engine and no model file."""
