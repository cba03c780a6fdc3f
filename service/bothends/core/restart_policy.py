"""Counts failed attempts to reload a model on a GPU, until only a new process can help.

Some GPU errors last as long as the process that met them, and a run or a load that hangs can't be interrupted.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from ..batching.watchdog import Watchdog

_TRIES = 3
"""Number of attempts in a row that may fail."""


class RestartPolicy:
    """Counter and timer of attempts; calls `give_up`, with a reason, after too many failures or one that hangs."""

    def __init__(self, give_up: Callable[[str], None], *, max_load_s: float) -> None:
        self._give_up = give_up
        self._max_load_s = max_load_s
        self._failed = 0

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Return a context manager that counts and times an attempt. If the attempt hangs, another thread gives up.

        Time in which the process couldn't run, for example on a suspended machine, isn't counted.
        """
        watchdog = Watchdog(self._max_load_s, clock=time.monotonic)
        try:
            with watchdog.watching(partial(self._give_up, "loading the model anew hangs")):
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
