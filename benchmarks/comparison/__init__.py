"""Servers as callers meet them, bothends on each transport beside its peers, to figures and verdicts.

Knows nothing of engines without a server around them.
"""
