"""An unchecked folder to its files' bytes: regular ones only, of a sensible size, each read whole, once.

Knows nothing of what the files hold.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Self

from ..errors import BundleError

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""Flags by which a link is an error, and a FIFO without a writer doesn't keep the opener waiting."""


class UntrustedFolder:
    """An open folder. It stays the same one where its name, or a link to it, comes to mean another meanwhile."""

    def __init__(self, path: Path) -> None:
        """Open the folder at `path`. Raises BundleError where there is none."""
        self._path = path
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        except (OSError, ValueError) as error:  # ValueError for a NUL in it
            reason = "no such folder" if isinstance(error, FileNotFoundError) else getattr(error, "strerror", error)
            raise BundleError(f"there is no bundle at {path!s:.200}: {reason}") from error

    def read(self, name: str, *, most: int) -> bytes:
        """The content of the file `name`. Raises BundleError unless it is a regular file of at most `most` bytes."""
        file = self._path / name
        try:
            descriptor = os.open(name, _FLAGS, dir_fd=self._descriptor)
            try:
                return _content(descriptor, file, most)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            raise BundleError(f"{file} is missing") from None
        except OSError as error:
            reason = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
            raise BundleError(f"{file} can't be read: {reason}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _content(descriptor: int, file: Path, most: int) -> bytes:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise BundleError(f"{file} is no regular file")
    if found.st_size > most:
        raise BundleError(f"{file} has {found.st_size} bytes; {most} are the most that it may have")
    with os.fdopen(descriptor, "rb", closefd=False) as opened:
        return opened.read(found.st_size)  # no more, should it grow meanwhile
