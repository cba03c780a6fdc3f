"""Clients and proxies that others wrote, against a real server on each front: each changes no bit and loses no call."""
