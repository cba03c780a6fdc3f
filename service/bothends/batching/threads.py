"""Group of threads that all run the same function. A lost thread is replaced, and an unexpected error ends none."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from ..observe.unforeseen import error_site

_log = logging.getLogger(__name__)
_REST_S = 0.1
"""Time that a thread rests after an unforeseen error, so that one without end takes no core and fills no log."""


class PerThreadTask:
    """Function that each of a group of threads is to call once, between two batches."""

    def __init__(self, act: Callable[[], None], threads: set[int]) -> None:
        self._act = act
        self._left = threads
        self._lock = threading.Lock()
        self._done = threading.Event()

    @property
    def is_for_this_thread(self) -> bool:
        """True if the calling thread belongs to the group and hasn't called the function yet."""
        with self._lock:
            return threading.get_ident() in self._left

    def do(self) -> None:
        """Call the function in the calling thread. What it raises is only logged, since later work will meet the same
        error.
        """
        try:
            self._act()
        except Exception as error:
            _log.warning("a thread couldn't be made ready: %s", type(error).__name__)
        finally:
            with self._lock:
                self._left.discard(threading.get_ident())
                if not self._left:
                    self._done.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s` seconds until all threads have called it; returns True if they have."""
        return self._done.wait(timeout_s)


class WorkerThreads:
    """Group of `size` daemon threads that each run `work` until it returns, and again if it raises."""

    def __init__(self, work: Callable[[], None], size: int, *, name: str) -> None:
        self._work = work
        self._name = name
        self._started = 0
        self._size = size
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self.fill()

    def replace(self, lost: int) -> None:
        """Start a thread in place of the one with identifier `lost`, which isn't waited for any more; if the machine
        has no room for another, `fill` will.
        """
        with self._lock:
            self._threads = {thread for thread in self._threads if thread.ident != lost}
        with suppress(RuntimeError):
            self.fill()

    def fill(self) -> None:
        """Start threads that are missing. Raises RuntimeError if the machine has no room for another thread."""
        with self._lock:
            while len(self._threads) < self._size:
                thread = threading.Thread(target=self._run, name=f"{self._name}-{self._started}", daemon=True)
                thread.start()
                self._started += 1
                self._threads.add(thread)

    @property
    def idents(self) -> set[int]:
        """Identifiers of all threads except lost ones."""
        with self._lock:
            return {thread.ident for thread in self._threads if thread.ident is not None}

    def join(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s` seconds until all threads have returned; returns True if they have."""
        end = time.monotonic() + timeout_s
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _run(self) -> None:
        while True:
            try:
                return self._work()
            except Exception as error:  # a bug of ours: without this thread, callers would wait for ever
                _log.error("the work of a thread met an unforeseen error: %s", error_site(error))
                time.sleep(_REST_S)
