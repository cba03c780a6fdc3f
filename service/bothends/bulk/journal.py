"""Journal beside an output file: how much of the output is safely on disk. It is always replaced as a whole."""

import errno
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from ..errors import FileError

if sys.platform != "win32":
    import fcntl

_FORMAT = 2


@dataclass(frozen=True, slots=True)
class Commit:
    """State of an output that is safely on disk."""

    rows: int = 0
    """Number of the input's rows whose vectors or reasons are there."""
    digest: str = ""
    """Digest of those rows."""
    output_bytes: int = 0
    bad_bytes: int = 0
    output_sha256: str = ""
    """Hash of the output's bytes; below, that of the file about bad rows. A changed file isn't continued."""
    bad_sha256: str = ""
    bad_rows: int = 0
    cut: int = 0
    """Number of sentences that were longer than the model reads."""
    is_whole: bool = False
    """True if all of it is there, and files only have to be given their names."""


class Journal:
    """Journal of the output at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[dict[str, Any], Commit] | None:
        """Return the job that it describes, and its progress; None if there is no journal. Raises FileError."""
        try:
            content = json.loads(self.path.read_bytes())
            if content["journal"] != _FORMAT:
                raise ValueError("another format")
            return content["job"], Commit(**content["committed"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise FileError(f"{self.path} can't be read as a journal ({type(error).__name__}); remove it") from None

    def write(self, job: Mapping[str, Any], commit: Commit) -> None:
        """Replace the journal; after a crash at any moment, either the old or the new one is there."""
        content = json.dumps({"journal": _FORMAT, "job": job, "committed": asdict(commit)}, indent=1)
        new = self.path.with_name(self.path.name + ".new")
        with opened(new, "wb") as file:
            file.write(content.encode())
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
        sync(self.path.parent)

    def remove(self) -> None:
        """Remove the journal, since nothing is left to resume."""
        self.path.unlink(missing_ok=True)
        self.path.with_name(self.path.name + ".new").unlink(missing_ok=True)
        sync(self.path.parent)


def opened(path: Path, mode: Literal["wb", "r+b"], *, buffering: int = -1) -> BinaryIO:
    """Open `path`, creating it if needed. Raises FileError for a symbolic link, which could lead anywhere."""
    flags = os.O_RDWR | os.O_CREAT | (os.O_TRUNC if mode == "wb" else 0)
    try:
        descriptor = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise FileError(f"{path} is a symbolic link, which isn't followed; remove it") from None
        raise
    return os.fdopen(descriptor, mode, buffering)


class OutputLockedError(FileError):
    """Error because another run writes the same output."""


def lock(file: BinaryIO, path: Path) -> None:
    """Lock `file`, which was opened at `path`, against other runs until it is closed. Raises OutputLockedError."""
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputLockedError(f"another run is writing {path}") from None
    if not path.exists() or os.fstat(file.fileno()).st_ino != path.stat().st_ino:
        raise OutputLockedError(f"another run has just finished {path}")


def sync(path: Path) -> None:
    """Make what was written to `path`, a file or the entries of a folder, survive a crash of the machine."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
