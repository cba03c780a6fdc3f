"""Computes when a recurring task is due next."""

import time
from collections.abc import Callable


class Schedule:
    """Times at which a recurring task is due."""

    def __init__(self, interval_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """First due `interval_s` from now; 0 is never."""
        self._interval_s = interval_s or float("inf")
        self._clock = clock
        self.restart()

    @property
    def due_in_s(self) -> float:
        """Seconds until the task is due; 0 or less if it is due now."""
        return self._due - self._clock()

    def restart(self) -> None:
        """Count the interval from now, because the task has started."""
        self._begun = self._clock()
        self._due = self._begun + self._interval_s

    def postpone(self, min_s: float) -> None:
        """Make the task due no sooner than `min_s` seconds from now."""
        self._due = max(self._due, self._clock() + min_s)

    def hasten(self, min_interval_s: float) -> None:
        """Make the task due as soon as `min_interval_s` seconds have passed since it last started."""
        self._due = min(self._due, self._begun + min_interval_s)
