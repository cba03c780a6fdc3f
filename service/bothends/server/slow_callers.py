"""Who keeps a place and lets others wait for his request, for how long, and who is turned away when places run out.

Knows no call and no gate.
"""

import threading
import time
from typing import NamedTuple, Protocol

from ..errors import BothendsError


class SlowCaller(Protocol):
    """Who is waited for."""

    def fail(self, error: BothendsError) -> None:
        """He had his time."""


class _Wait(NamedTuple):
    end: float
    """A time of `time.monotonic`."""
    error: BothendsError


class SlowCallers:
    """Those whose requests are still on their way."""

    def __init__(self, max_wait_s: float) -> None:
        self.max_wait_s = max_wait_s
        """That each is waited for, at least."""
        self._lock = threading.Lock()
        self._waits: dict[SlowCaller, _Wait] = {}  # who has let others wait longest comes first

    def add(self, caller: SlowCaller, error: BothendsError) -> None:
        """His request is to come, and nothing is done for him until then; too late, he fails with `error`."""
        with self._lock:
            self._waits[caller] = _Wait(time.monotonic() + self.max_wait_s, error)

    def remove(self, caller: SlowCaller) -> bool:
        """Nobody waits for him any more; returns whether somebody did until now."""
        with self._lock:
            return self._waits.pop(caller, None) is not None

    def evict_one(self) -> bool:
        """Turn away who has taken longest, if that was too long; else some who never come would keep all places."""
        with self._lock:
            caller = next(iter(self._waits), None)
            if caller is None or time.monotonic() < self._waits[caller].end:
                return False
            wait = self._waits.pop(caller)
        caller.fail(wait.error)
        return True
