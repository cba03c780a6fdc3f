"""Threads that all do the same work, and of which one that is lost is replaced. Knows nothing of the work."""

import threading
import time
from collections.abc import Callable


class WorkerThreads:
    """So many daemon threads, each running `work` until it returns."""

    def __init__(self, work: Callable[[], None], size: int, *, name: str) -> None:
        self._work = work
        self._name = name
        self._hired = 0
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        for _ in range(size):
            self._hire()

    def replace(self, lost: threading.Thread) -> None:
        """Wait for `lost` no more, and have another in its place."""
        with self._lock:
            self._threads.discard(lost)
        self._hire()

    def join(self, timeout_s: float) -> bool:
        """Wait until all have returned, at most so long; says whether they have."""
        end = time.monotonic() + timeout_s
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _hire(self) -> None:
        with self._lock:
            thread = threading.Thread(target=self._work, name=f"{self._name}-{self._hired}", daemon=True)
            self._hired += 1
            self._threads.add(thread)
        thread.start()
