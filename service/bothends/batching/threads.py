"""Threads that all do the same work; one that is lost is replaced. Knows nothing of the work."""

import threading
import time
from collections.abc import Callable


class WorkerThreads:
    """Daemon threads, `size` of them, each running `work` until it returns."""

    def __init__(self, work: Callable[[], None], size: int, *, name: str) -> None:
        self._work = work
        self._name = name
        self._started = 0
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        for _ in range(size):
            self._start()

    def replace(self, lost: threading.Thread) -> None:
        """Wait for `lost` no more, and start another in its place."""
        with self._lock:
            self._threads.discard(lost)
        self._start()

    def join(self, timeout_s: float) -> bool:
        """Wait until all have returned, at most so long; returns whether they have."""
        end = time.monotonic() + timeout_s
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _start(self) -> None:
        with self._lock:
            thread = threading.Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True)
            self._started += 1
            self._threads.add(thread)
            thread.start()  # before the lock is free: who joins meanwhile can't wait for one that hasn't begun
