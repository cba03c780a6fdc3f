"""Describes an unexpected exception for a log, without its text if that could hold a caller's sentence."""

import traceback

from ..errors import BothendsError


def error_text(error: Exception) -> str:
    """Return the text of an error of bothends, which holds nothing that a caller sent; for others, type and
    location.
    """
    return str(error) if isinstance(error, BothendsError) else error_site(error)


def error_site(error: Exception) -> str:
    """Return type and location of an unexpected error. Its text is left out, since it may hold a caller's sentence."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {frame.filename}:{frame.lineno} in {frame.name}"
