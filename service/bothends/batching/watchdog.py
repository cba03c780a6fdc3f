"""Finds model runs that take too long, so that their callers get an answer.

An engine that hangs can't be stopped, but no caller has to wait for it. The threads that run batches report when a run
starts and ends. Time that a run lost, because the machine was busy or suspended, isn't counted.
"""

import logging
import threading
from collections.abc import Callable
from functools import partial

from ..observe.unforeseen import error_site
from .lost_time import LostTime
from .request import Sentence

_log = logging.getLogger(__name__)
_CHECKS = 8
"""Checks that are made in the time that a run may take."""


class Run:
    """Model run in progress, and the thread that started it."""

    __slots__ = ("batch", "deadline", "thread")

    def __init__(self, batch: list[Sentence], deadline: float) -> None:
        self.batch = batch
        self.thread = threading.get_ident()
        self.deadline = deadline


class Watchdog:
    """Timer of model runs: calls `on_overdue`, in its own thread, once for each run that has taken `timeout_s`
    seconds.
    """

    def __init__(
        self,
        timeout_s: float,
        on_overdue: Callable[[Run], None],
        *,
        clock: Callable[[], float],
        also: Callable[[Callable[[int], float]], None] = lambda _: None,
    ) -> None:
        """Watch until closed. At each check `also` is called with a function, by which it gives up runs that are
        watched elsewhere: that returns the seconds in which the thread with this identifier couldn't run since the last
        check.
        """
        self._timeout_s = timeout_s
        self._on_overdue = on_overdue
        self._also = also
        self._clock = clock
        self._lost = LostTime(timeout_s / _CHECKS, clock=clock)
        self._runs: set[Run] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="bothends-watchdog", daemon=True).start()

    def begin(self, batch: list[Sentence]) -> Run:
        """Watch a run that starts now."""
        run = Run(batch, self._clock() + self._timeout_s)
        with self._lock:
            self._runs.add(run)
        return run

    def end(self, run: Run) -> bool:
        """Stop watching a run that has ended; returns False if it was given up before."""
        with self._lock:
            watched = run in self._runs
            self._runs.discard(run)
        return watched

    def check(self) -> None:
        """Give up the runs that have taken too long."""
        now = self._clock()
        with self._lock:
            self._lost.look()
            for run in self._runs:
                run.deadline += self._lost.of(run.thread)
            overdue = {run for run in self._runs if run.deadline <= now}
            self._runs -= overdue
        acts: list[Callable[[], None]] = [
            *(partial(self._on_overdue, run) for run in overdue),
            partial(self._also, self._lost.of),
        ]
        for act in acts:
            try:
                act()
            except Exception as error:  # a bug of ours: the others that hang are to be given up all the same
                _log.error("a check of model runs met an unforeseen error: %s", error_site(error))

    def close(self) -> set[Run]:
        """Stop watching; returns the runs that are still in progress."""
        self._closed.set()
        with self._lock:
            left, self._runs = self._runs, set()
        return left

    def _watch(self) -> None:
        while not self._closed.wait(self._timeout_s / _CHECKS):
            self.check()
