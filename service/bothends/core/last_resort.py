"""Attempts to load a model anew to the verdict that a new process alone can help. Knows no model and no GPU.

On a GPU some errors last as long as the process that met them, and a run or a load that hangs can't be broken off.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_TRIES = 3
"""Number of attempts in a row that may fail."""


class LastResort:
    """Counter and timer of attempts, which calls `give_up` with a reason where they lead nowhere."""

    def __init__(self, give_up: Callable[[str], None], *, max_load_s: float) -> None:
        self._give_up = give_up
        self._max_load_s = max_load_s
        self._failed = 0

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Count and time what is done inside `with`. It gives up, from another thread, where that hangs."""
        alarm = threading.Timer(self._max_load_s, self._give_up, ["loading the model anew hangs"])
        alarm.daemon = True
        alarm.start()
        try:
            yield
        except Exception:  # counted, and raised again: whatever it is, a new process may help
            self._failed += 1
            if self._failed >= _TRIES:
                self._give_up(f"{self._failed} attempts to load the model anew have failed")
            raise
        else:
            self._failed = 0
        finally:
            alarm.cancel()
