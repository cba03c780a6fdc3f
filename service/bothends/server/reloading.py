"""Files to a value that is read of them, and read again once they change; a broken change is logged and not used.

Knows nothing of what is in them. Looks when it is asked, not from a thread: a file that isn't needed costs nothing.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from ..errors import StartupError

_log = logging.getLogger(__name__)
_Signature: TypeAlias = tuple[int, ...] | None
T = TypeVar("T")


class ReloadingFile(Generic[T]):
    """Value that `read` makes of files. `value` is the newest that could be read, from any thread."""

    def __init__(self, paths: Sequence[Path], read: Callable[[], T], *, every_s: float) -> None:
        """Read for the first time. Raises StartupError where `read` does; later its text is logged instead."""
        self._paths = paths
        self._read = read
        self._every_s = every_s
        self._lock = threading.Lock()
        self._seen = self._look()
        self._value = read()
        self._next_look = self._after(time.monotonic())

    @property
    def value(self) -> T:
        """Newest value. Looks at the files at most once in `every_s`, one thread for all; never where that is 0."""
        if (now := time.monotonic()) >= self._next_look and self._lock.acquire(blocking=False):
            try:
                self._next_look = self._after(now)
                self._catch_up(self._look())
            finally:
                self._lock.release()
        return self._value

    def reload(self) -> None:
        """Look now. Not for a signal handler: it waits for a lock."""
        with self._lock:
            self._catch_up(self._look())

    def _catch_up(self, now: list[_Signature]) -> None:
        if now == self._seen:
            return
        self._seen = now  # taken before reading: what changes meanwhile is seen the next time
        try:
            self._value = self._read()
        except StartupError as error:
            _log.error("%s; what was read before stays in use", error)
        else:
            _log.info("read again: %s", ", ".join(path.name for path in self._paths))

    def _after(self, now: float) -> float:
        return now + self._every_s if self._every_s else math.inf

    def _look(self) -> list[_Signature]:
        return [_signature(path) for path in self._paths]


def read_bytes(path: Path, setting: str) -> bytes:
    """Read the file's content. Raises StartupError that names setting, file and reason."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartupError(f"{setting} {path}: {error.strerror}") from error


def _signature(path: Path) -> _Signature:
    """Return what changes whenever the file does, also when another is moved into its place; None for no file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
