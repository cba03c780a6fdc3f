"""Attacks on what is promised, against real servers under load. `make chaos` runs them; nothing else does."""
