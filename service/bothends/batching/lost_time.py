"""Measures the time in which a model run couldn't proceed: its process was stopped, or its thread had no processor.

The watchdog doesn't count this time, so that a run on a busy machine isn't taken for one that hangs.
"""

import threading
from collections.abc import Callable
from pathlib import Path


def waited_for_processor(thread: int) -> float:
    """Return the seconds that the thread with this identifier has been runnable without a processor; 0 if unknown.

    Linux counts them: https://docs.kernel.org/scheduler/sched-stats.html
    """
    native_id = next((each.native_id for each in threading.enumerate() if each.ident == thread), None)
    try:
        counts = Path(f"/proc/self/task/{native_id}/schedstat").read_text().split()
    except OSError:
        return 0.0
    return int(counts[1]) / 1e9


class LostTime:
    """Meter of how long threads couldn't run between two calls of `look`, which come every `look_s` seconds.

    Not thread-safe.
    """

    def __init__(
        self,
        look_s: float,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._look_s = look_s
        self._clock = clock
        self._looked = clock()
        self._stopped_s = self._between_s = 0.0
        self._before: dict[int, float] = {}
        self._now: dict[int, float] = {}

    def look(self) -> None:
        """Start the next interval. If this call comes much too late, the whole process was stopped, as by SIGSTOP."""
        now = self._clock()
        self._between_s, self._looked = now - self._looked, now
        self._stopped_s = self._between_s - self._look_s if self._between_s > 2 * self._look_s else 0.0
        self._before, self._now = self._now, {}

    def of(self, thread: int) -> float:
        """Return the seconds for which this thread couldn't run between the last two calls of `look`."""
        if thread not in self._now:
            self._now[thread] = waited_for_processor(thread)
        waited_s = self._now[thread] - self._before.get(thread, self._now[thread])
        return min(max(self._stopped_s, waited_s), self._between_s)
