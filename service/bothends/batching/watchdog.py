"""Model runs that take too long are given up: an engine that hangs can't be stopped, but nobody has to wait for it.

Knows no engine: it is told when a run begins and ends.
"""

import threading
from collections.abc import Callable

from .request import Sentence

_LOOKS = 8
"""In the time that a run may take."""


class Run:
    """One model run that goes on, in the thread that began it."""

    __slots__ = ("batch", "thread", "until")

    def __init__(self, batch: list[Sentence], until: float) -> None:
        self.batch = batch
        self.thread = threading.current_thread()
        self.until = until


class Watchdog:
    """Tells `give_up` of each run that has gone on for `timeout_s`, once, in a thread of its own."""

    def __init__(self, timeout_s: float, give_up: Callable[[Run], None], *, clock: Callable[[], float]) -> None:
        self._timeout_s = timeout_s
        self._give_up = give_up
        self._clock = clock
        self._runs: set[Run] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="bothends-watchdog", daemon=True).start()

    def begin(self, batch: list[Sentence]) -> Run:
        """A run begins now."""
        run = Run(batch, self._clock() + self._timeout_s)
        with self._lock:
            self._runs.add(run)
        return run

    def end(self, run: Run) -> bool:
        """A run has ended; returns False where it was given up before."""
        with self._lock:
            watched = run in self._runs
            self._runs.discard(run)
        return watched

    def look(self) -> None:
        """Give up what has gone on for too long."""
        now = self._clock()
        with self._lock:
            overdue = {run for run in self._runs if run.until <= now}
            self._runs -= overdue
        for run in overdue:
            self._give_up(run)

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(self._timeout_s / _LOOKS):
            self.look()
