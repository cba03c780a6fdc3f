"""Errors that doctor raises on purpose."""

from bothends.errors import BothendsError


class DoctorError(BothendsError):
    """A file can't be examined or repaired; its text says why in one line."""


class RunFailedError(Exception):
    """The examined model itself failed on an input, say of a size that it doesn't take."""
