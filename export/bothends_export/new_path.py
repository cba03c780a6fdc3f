"""Refuses to overwrite: checks that nothing stands yet where a command is to write its output."""

from pathlib import Path

from bothends.errors import BothendsError


def must_be_new(out: Path, error: type[BothendsError], *, kind: str = "folder") -> None:
    """Raise `error` if `out` exists, also as a link to nothing; `kind` is the word for what is to be written there."""
    if out.exists() or out.is_symlink():
        raise error(f"{out} exists already; remove it or choose another {kind}")
