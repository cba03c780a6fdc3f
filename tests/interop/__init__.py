"""Clients and proxies that others wrote, against a real server on each transport: each changes no bit and loses no
call.
"""
