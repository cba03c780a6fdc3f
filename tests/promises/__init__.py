"""Promises that cut across rooms, tested with real processes and connections."""
