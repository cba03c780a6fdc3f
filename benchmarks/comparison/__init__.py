"""Compares servers as callers meet them: bothends on each transport beside mosec."""
