"""A thread that runs short functions when they are due."""

import logging
import sched
import threading
import time
from collections.abc import Callable
from contextlib import suppress

_log = logging.getLogger(__name__)


class Timer:
    """Thread that runs each function when it is due. Functions must return quickly; one that raises is logged."""

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._due = sched.scheduler(clock)
        self._changed = threading.Event()
        self._is_closed = False
        self._thread = threading.Thread(target=self._go_on, name=name, daemon=True)
        self._thread.start()

    def later(self, seconds: float, act: Callable[[], None]) -> sched.Event:
        """Run `act` after `seconds`, unless the timer is closed or the returned event cancelled first."""
        due = self._due.enter(seconds, 0, _logged, (act,))
        self._changed.set()
        return due

    def cancel(self, due: sched.Event) -> None:
        """Cancel what `later` returned, unless it has started."""
        with suppress(ValueError):
            self._due.cancel(due)

    def close(self) -> None:
        """Start no further function, and wait for the thread's end."""
        self._is_closed = True
        self._changed.set()
        self._thread.join()

    def _go_on(self) -> None:
        while True:
            self._changed.clear()
            if self._is_closed:  # looked at after `clear`, which may have wiped out the end's own `set`
                return
            self._changed.wait(self._due.run(blocking=False))


def _logged(act: Callable[[], None]) -> None:
    """Run `act`. An error's text is left out of the log: it may hold a caller's sentence."""
    try:
        act()
    except Exception as error:  # the acts of other calls are due too
        _log.error("what was due failed: %s", type(error).__name__)
