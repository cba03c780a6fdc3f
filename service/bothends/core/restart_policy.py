"""Counts failed attempts to load a model anew on a GPU, until only a new process can help.

Some errors of a GPU last as long as the process that met them, and a run or a load that hangs can't be broken off.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..batching.watchdog import Watchdog

_TRIES = 3
"""Number of attempts in a row that may fail."""


class RestartPolicy:
    """Counts and times attempts; calls `give_up`, with a reason, after too many failures or one that hangs."""

    def __init__(self, give_up: Callable[[str], None], *, max_load_s: float) -> None:
        self._give_up = give_up
        self._max_load_s = max_load_s
        self._failed = 0

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Count and time what is done inside `with`. It gives up, from another thread, where that hangs.

        Time in which it couldn't go on, as on a machine that was suspended, isn't counted.
        """
        watchdog = Watchdog(
            self._max_load_s, lambda _: self._give_up("loading the model anew hangs"), clock=time.monotonic
        )
        watchdog.begin([])
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
            watchdog.close()
