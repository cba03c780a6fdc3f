"""Converts messages and statuses to bytes and back, for client and server alike."""
