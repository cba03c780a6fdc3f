"""Callers that hold a slot while their requests are still arriving, and the choice of one to evict."""

import threading
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from ..errors import BothendsError


class PendingCaller(Protocol):
    """Caller whose request is still arriving."""

    def fail(self, error: BothendsError) -> None:
        """End the call with `error`, because its request took too long to arrive."""


@dataclass(eq=False, slots=True)
class Wait:
    """Entry for a caller whose request is still arriving. The call cancels it when it ends, like other work."""

    among: "PendingBodies"
    caller: PendingCaller
    end: float
    """A time of `time.monotonic`."""
    error: BothendsError

    def cancel(self) -> None:
        """Remove the entry, because the call has ended."""
        self.among.remove(self.caller)


class PendingBodies:
    """Callers whose requests are still arriving."""

    def __init__(self, max_wait_s: float) -> None:
        self.max_wait_s = max_wait_s
        """Seconds that each is waited for, at least."""
        self._lock = threading.Lock()
        self._waits: dict[PendingCaller, Wait] = {}  # the one that has been waited for longest comes first

    def __len__(self) -> int:
        return len(self._waits)

    def add(self, caller: PendingCaller, error: BothendsError) -> Wait:
        """Add a caller whose request arrives from now on. If it is evicted, it fails with `error`. Cancel the returned
        entry if the call ends.
        """
        wait = Wait(self, caller, monotonic() + self.max_wait_s, error)
        with self._lock:
            self._waits[caller] = wait
        return wait

    def remove(self, caller: PendingCaller) -> bool:
        """Remove a caller; returns True if it was still waited for."""
        with self._lock:
            return self._waits.pop(caller, None) is not None

    def evict_one(self) -> bool:
        """Evict the caller whose request has been arriving for longest, if that is too long; returns True if one was
        evicted.

        Without that, callers that never send could hold all slots.
        """
        with self._lock:
            caller = next(iter(self._waits), None)
            if caller is None or monotonic() < self._waits[caller].end:
                return False
            wait = self._waits.pop(caller)
        caller.fail(wait.error)
        return True
