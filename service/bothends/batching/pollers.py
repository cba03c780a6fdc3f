"""Tracks the worker threads that pull from a source of work, and which of them sleep there.

The batcher calls it under its own lock and decides which threads to wake; the source wakes them.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from .request import WorkSource

LOOK_S = 0.005
"""Longest time for which nobody looks at the source while all workers run: a few times a usual batch. Then a spare
thread looks at it, so that during a long batch, or in an engine that hangs, probes are answered and callers' leaving
is noticed."""


class Pollers:
    """Source of work, once there is one, and the threads that are inside its `pull`."""

    def __init__(self, workers: int, clock: Callable[[], float], *, spare_core: bool) -> None:
        """Keep slots for `workers` runs; a thread that pulls takes one, unless it has a `spare_core`.

        Then one thread pulls, or one more than may run if the source runs by itself what arrives.
        """
        self.source: WorkSource | None = None
        self.gathering: Callable[[], AbstractContextManager[None]] = nullcontext
        self._workers = workers
        self._spare_core = spare_core
        self._clock = clock
        self._threads: dict[int, bool] = {}  # and whether each may sleep there
        self.asleep = 0
        """Number of threads in `pull` that may sleep there; some may be awake again."""
        self._pulled_at = 0.0

    def begin_with(self, source: WorkSource) -> None:
        """Use `source` from now on."""
        self.source = source
        self.gathering = source.gathering

    @property
    def slots(self) -> int:
        """Number of runs that can't start, because the threads for them are inside `pull`."""
        return 0 if self._spare_core else len(self._threads)

    @property
    def max_threads(self) -> int:
        """Most threads that may be inside the source's `pull` at once."""
        return self._workers + self._spare_core

    def has_this_thread(self) -> bool:
        """Return True if the calling thread is inside the source's `pull`."""
        return threading.get_ident() in self._threads

    def may_begin(self, running: int) -> bool:
        """Return True if another thread may pull while `running` runs are in progress."""
        if self.source is None:
            return False
        if self._spare_core:
            return len(self._threads) < (self.max_threads if self.source.runs_itself else 1)
        return running + len(self._threads) < self._workers

    def is_unattended(self) -> bool:
        """Return True if no thread has pulled for LOOK_S seconds, so that the calling thread should."""
        if self.source is None or self._threads or self._clock() - self._pulled_at < LOOK_S:
            return False
        self._pulled_at = self._clock()
        return True

    def begin(self, *, sleeps: bool) -> None:
        """Record that the calling thread starts to pull."""
        self._threads[threading.get_ident()] = sleeps
        self.asleep += sleeps

    def end(self, thread: int, *, goes_on: bool) -> None:
        """Record that a thread has returned from `pull` or was given up, whichever comes first, and whether the source
        has ended.
        """
        self.asleep -= self._threads.pop(thread, False)
        self._pulled_at = self._clock()
        if not goes_on:
            self.source = None

    def wake(self, threads: int) -> bool:
        """Wake threads that sleep in the source; returns False if none does."""
        if self.source is None or not self.asleep:
            return False
        for _ in range(min(threads, self.asleep)):
            self.source.wake()
        return True
