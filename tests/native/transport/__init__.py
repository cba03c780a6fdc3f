"""The transport by its wire: what callers send, and what they are told."""
