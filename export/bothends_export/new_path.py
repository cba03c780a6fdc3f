"""Refuses to overwrite: checks that a command's output path doesn't exist yet."""

from pathlib import Path

from bothends.errors import BothendsError


def must_be_new(out: Path, error: type[BothendsError], *, kind: str = "folder") -> None:
    """Raise `error`, a class of errors, if `out` exists, even as a dangling link; `kind` is the word for the output in
    the message.
    """
    if out.exists() or out.is_symlink():
        raise error(f"{out} exists already; remove it or choose another {kind}")
