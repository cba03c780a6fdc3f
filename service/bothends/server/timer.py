"""Acts that are due later, all in one thread that sleeps between them. Knows nothing of what they do."""

import sched
import threading
import time
from collections.abc import Callable


class Timer:
    """A thread that does things at their time. They must return soon."""

    def __init__(self, name: str) -> None:
        self._due = sched.scheduler(time.monotonic)
        self._changed = threading.Event()
        self._is_closed = False
        self._thread = threading.Thread(target=self._go_on, name=name, daemon=True)
        self._thread.start()

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Act after so many seconds, unless closed before."""
        self._due.enter(seconds, 0, act)
        self._changed.set()

    def close(self) -> None:
        """Do nothing more."""
        self._is_closed = True
        self._changed.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._is_closed:
            self._changed.clear()
            self._changed.wait(self._due.run(blocking=False))
