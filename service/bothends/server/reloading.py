"""Value that is read from files, and read again when they change; a broken change is logged and ignored.

Files are checked only when the value is asked for, so that unused files cost nothing. A separate thread checks them,
since a file may block its reader for ever, for example one on an unreachable server.
"""

import logging
import math
import os
import stat
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from ..errors import StartupError

_log = logging.getLogger(__name__)
_Signature: TypeAlias = tuple[int, ...] | None
T = TypeVar("T")


_MAX_BYTES = 16 << 20
_FIRST_S = 10.0
"""Seconds that files may take to be read at first."""
_SOON_S = 1.0
"""Seconds that one who finds a look due waits for it, so as to have the newest: once, whatever becomes of it."""
_LATE_S = 10.0
"""Seconds after which the log says that a look hasn't ended."""
_SETTLES_S, _MAX_LOOKS = 0.1, 50
"""Time in which a file that is written in pieces has another piece; and how often that is waited for."""


class ReloadingFile(Generic[T]):
    """Value that `read` makes from files. `value` is the latest that could be read; any thread may ask for it."""

    def __init__(self, paths: Sequence[Path], read: Callable[[], T], *, every_s: float) -> None:
        """Read for the first time. Raises StartupError where `read` does; later its text is logged instead."""
        self._paths = paths
        self._read = read
        self._every_s = every_s
        self._lock = threading.Lock()
        self._seen, self._value = self._at_first()
        self._next_look = self._after(time.monotonic())
        self._reader: threading.Thread | None = None
        self._began = 0.0
        self._is_late_said = False

    @property
    def value(self) -> T:
        """Latest value. Starts a check of the files at most every `every_s` seconds; never if that is 0."""
        if time.monotonic() >= self._next_look and (reader := self._begin()) is not None:
            reader.join(_SOON_S)
        return self._value

    def reload(self) -> None:
        """Check the files now, and wait a short while for the result.

        Not safe in a signal handler, since it takes a lock.
        """
        if (reader := self._begin()) is not None:
            reader.join(_SOON_S)

    def _at_first(self) -> tuple[list[_Signature], T]:
        """Check and read the files. Raises StartupError, also if that takes too long."""
        found: list[tuple[list[_Signature], T]] = []
        failed: list[Exception] = []

        def look() -> None:
            try:
                found.append((self._look(), self._read()))
            except Exception as error:
                failed.append(error)

        reader = threading.Thread(target=look, daemon=True)
        reader.start()
        reader.join(_FIRST_S)
        if failed:
            raise failed[0]
        if not found:
            raise StartupError(f"{self._names()} can't be read within {_FIRST_S:g} s")
        return found[0]

    def _begin(self) -> threading.Thread | None:
        """Start a check in a thread, unless one is still running; the caller doesn't wait."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            now = time.monotonic()
            self._next_look = self._after(now)
            if self._reader is not None and self._reader.is_alive():
                if now - self._began > _LATE_S and not self._is_late_said:
                    self._is_late_said = True
                    _log.error("%s can't be read for %g s; what was read before stays in use", self._names(), _LATE_S)
                return None
            self._began, self._is_late_said = now, False
            self._reader = threading.Thread(target=self._catch_up, name="bothends-files", daemon=True)
            self._reader.start()
            return self._reader
        finally:
            self._lock.release()

    def _catch_up(self) -> None:
        if (now := self._look()) == self._seen:
            return
        for _ in range(_MAX_LOOKS):
            time.sleep(_SETTLES_S)
            before, now = now, self._look()
            if now == before:
                break
        self._seen = now  # taken before reading: what changes meanwhile is seen the next time
        try:
            self._value = self._read()
        except StartupError as error:
            _log.error("%s; what was read before stays in use", error)
        else:
            _log.info("read again: %s", self._names())

    def _names(self) -> str:
        return ", ".join(path.name for path in self._paths)

    def _after(self, now: float) -> float:
        return now + self._every_s if self._every_s else math.inf

    def _look(self) -> list[_Signature]:
        return [_signature(path) for path in self._paths]


def read_bytes(path: Path, setting: str) -> bytes:
    """Return the file's content. Raises StartupError that names setting, file and reason; it never waits for a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb", closefd=True) as opened:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise StartupError(f"{setting} {path}: is no regular file")
            if found.st_size > _MAX_BYTES:
                raise StartupError(f"{setting} {path}: has {found.st_size} bytes; {_MAX_BYTES} are the most")
            return opened.read(_MAX_BYTES)
    except OSError as error:
        raise StartupError(f"{setting} {path}: {error.strerror}") from error


def _signature(path: Path) -> _Signature:
    """Return a value that changes whenever the file does, also when another is moved into its place; None for no
    file.
    """
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
