"""A path to write to a refusal, where something stands there already. Knows nothing of what is written."""

from pathlib import Path

from bothends.errors import BothendsError


def must_be_new(out: Path, error: type[BothendsError], *, kind: str = "folder") -> None:
    """Raise `error` if `out` exists, also as a link to nothing; `kind` is the word for what is to be written there."""
    if out.exists() or out.is_symlink():
        raise error(f"{out} exists already; remove it or choose another {kind}")
