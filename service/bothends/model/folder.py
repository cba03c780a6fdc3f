"""Reads and hashes the files of an untrusted folder: only regular files of bounded size."""

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Self, TypeVar

from ..errors import BundleError

T = TypeVar("T")
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""Flags by which a link is an error, and a FIFO without a writer doesn't keep the opener waiting."""
_PIECE_BYTES = 1 << 20
_MISSING = "no such folder, and none is fetched by name"
"""Reason for users who expect that a name on Hugging Face works too."""


class UntrustedFolder:
    """Open folder. It stays the same folder even if its name, or a link to it, comes to mean another."""

    def __init__(self, path: Path) -> None:
        """Open the folder at `path`. Raises BundleError if it doesn't exist."""
        self._path = path
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        except (OSError, ValueError) as error:  # ValueError for a NUL in it
            reason = _MISSING if isinstance(error, FileNotFoundError) else getattr(error, "strerror", error)
            raise BundleError(f"there is no bundle at {path!s:.200}: {reason}") from error

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """Return the content of the file `name`.

        Raises BundleError unless it is a regular file of at most `max_bytes` bytes.
        """
        return self._opened(name, max_bytes, lambda file, size: file.read(size))  # no more, should it grow meanwhile

    def sha256(self, name: str, *, max_bytes: int) -> str:
        """Return the hash of the file `name`, reading it in pieces. Raises like `read`."""
        return self._opened(name, max_bytes, _sha256)

    def size(self, name: str, *, max_bytes: int) -> int:
        """Return the size of the file `name` in bytes. Raises like `read`."""
        return self._opened(name, max_bytes, lambda _, size: size)

    def _opened(self, name: str, max_bytes: int, use: Callable[[BinaryIO, int], T]) -> T:
        file = self._path / name
        try:
            descriptor = os.open(name, _FLAGS, dir_fd=self._descriptor)
            try:
                size = _size(descriptor, file, max_bytes)
                with os.fdopen(descriptor, "rb", closefd=False) as opened:
                    return use(opened, size)
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


def _size(descriptor: int, file: Path, max_bytes: int) -> int:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise BundleError(f"{file} is no regular file")
    if found.st_size > max_bytes:
        raise BundleError(f"{file} has {found.st_size} bytes; {max_bytes} are the most that it may have")
    return found.st_size


def _sha256(file: BinaryIO, size: int) -> str:
    found, left = hashlib.sha256(), size
    while left > 0 and (piece := file.read(min(left, _PIECE_BYTES))):
        found.update(piece)
        left -= len(piece)
    return found.hexdigest()
