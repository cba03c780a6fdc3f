"""Unforeseen errors to words for a log."""

import traceback


def where(error: Exception) -> str:
    """Name type and place of an unforeseen error. Its text is left out: it may hold a caller's sentence."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {frame.filename}:{frame.lineno} in {frame.name}"
