"""A file that hashes what is written to it; one that is gone on with hashes first what it holds."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import FileError

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Hashed:
    """A file whose bytes are hashed as they are written."""

    file: BinaryIO
    hash: "hashlib._Hash"

    def write(self, content: Any) -> None:
        """Write bytes."""
        self.hash.update(content)
        self.file.write(content)


def cut(file: BinaryIO, path: Path, size: int, sha256: str, *, head: int = 0) -> "hashlib._Hash":
    """Cut `file` off after `size` bytes, and go on there. Raises FileError unless they are those that were written.

    Returns the hash of those bytes, to be gone on with too; without the head's, which sealing writes anew.
    """
    if (found := file.seek(0, os.SEEK_END)) < size:
        raise FileError(f"{path} has {found} bytes where its journal says {size}; --overwrite begins anew")
    file.seek(head)
    hashed, left = hashlib.sha256(), size - head
    while left > 0 and (piece := file.read(min(left, _PIECE))):
        hashed.update(piece)
        left -= len(piece)
    if size and hashed.hexdigest() != sha256:
        raise FileError(f"{path} isn't what was written to it, says its journal; --overwrite begins anew")
    file.truncate(size)
    file.seek(size)
    return hashed
