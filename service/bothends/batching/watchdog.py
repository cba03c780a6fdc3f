"""Finds model runs that take too long, so that their callers get an answer.

An engine that hangs can't be stopped, but no caller has to wait for it. The threads that run batches report when a run
starts and ends. Time that a run lost, because the machine was busy or suspended, isn't counted.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from ..observe.unforeseen import error_site
from .lost_time import LostTime

_log = logging.getLogger(__name__)
_CHECKS = 8
"""Checks that are made in the time that a run may take."""


class Run:
    """Model run in progress: the thread that started it, and what is called if it takes too long."""

    __slots__ = ("deadline", "give_up", "thread")

    def __init__(self, give_up: Callable[[], None], deadline: float) -> None:
        self.give_up = give_up
        self.thread = threading.get_ident()
        self.deadline = deadline


class Watchdog:
    """Timer of model runs: gives up, in its own thread, each run that has taken `timeout_s` seconds."""

    def __init__(
        self,
        timeout_s: float,
        *,
        clock: Callable[[], float],
        also: Callable[[Callable[[int], float]], None] = lambda _: None,
    ) -> None:
        """Watch until closed. At each check `also` is called with a function, by which it gives up runs that are
        watched elsewhere: that returns the seconds in which the thread with this identifier couldn't run since the last
        check.
        """
        self._timeout_s = timeout_s
        self._also = also
        self._clock = clock
        self._lost = LostTime(timeout_s / _CHECKS, clock=clock)
        self._runs: set[Run] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="bothends-watchdog", daemon=True).start()

    def begin(self, give_up: Callable[[], None]) -> Run:
        """Watch a run that the calling thread starts now; `give_up` is called once if it takes too long."""
        run = Run(give_up, self._clock() + self._timeout_s)
        with self._lock:
            self._runs.add(run)
        return run

    def end(self, run: Run) -> bool:
        """Stop watching a run that has ended; returns False if it was given up before."""
        with self._lock:
            watched = run in self._runs
            self._runs.discard(run)
        return watched

    @contextmanager
    def watching(self, give_up: Callable[[], None]) -> Iterator[None]:
        """Return a context manager for a run, which `begin` and `end` enclose."""
        run = self.begin(give_up)
        try:
            yield
        finally:
            self.end(run)

    def check(self) -> None:
        """Give up the runs that have taken too long."""
        now = self._clock()
        with self._lock:
            self._lost.look()
            for run in self._runs:
                run.deadline += self._lost.of(run.thread)
            overdue = {run for run in self._runs if run.deadline <= now}
            self._runs -= overdue
        acts: list[Callable[[], None]] = [*(run.give_up for run in overdue), partial(self._also, self._lost.of)]
        for act in acts:
            try:
                act()
            except Exception as error:  # a bug of ours: the others that hang are to be given up all the same
                _log.error("a check of model runs met an unforeseen error: %s", error_site(error))

    def close(self) -> None:
        """Stop watching: no run is given up any more."""
        self._closed.set()
        with self._lock:
            self._runs = set()

    def _watch(self) -> None:
        while not self._closed.wait(self._timeout_s / _CHECKS):
            self.check()
