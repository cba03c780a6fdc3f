"""Checks of the paths that people give, made before a command imports what computes, or does any work."""

from pathlib import Path

from ..errors import FileError


def check_exists(path: Path) -> None:
    """Raise FileError if there is nothing at `path`, or it can't be looked at."""
    try:
        path.stat()
    except OSError as error:
        raise FileError(f"{path} can't be read: {error.strerror}") from None


def check_file(path: Path) -> None:
    """Raise FileError if there is nothing at `path`, or a folder. A pipe is as good as a file."""
    check_exists(path)
    if path.is_dir():
        raise FileError(f"{path} is a folder; name the file in it")


def check_folder(path: Path) -> None:
    """Raise FileError if there is no folder at `path`."""
    check_exists(path)
    if not path.is_dir():
        raise FileError(f"{path} is a file; name a folder")
