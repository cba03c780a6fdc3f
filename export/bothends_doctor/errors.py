"""Errors that doctor raises on purpose."""

from bothends.errors import BothendsError


class DoctorError(BothendsError):
    """File that can't be examined or repaired; the text says why in one line."""


class RunFailedError(Exception):
    """Failure of the examined model itself on an input, for example of a size that it doesn't support."""
