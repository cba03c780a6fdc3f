"""Callers that keep a place while their requests are still on their way, and which of them gives way to another."""

import threading
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from ..errors import BothendsError


class PendingCaller(Protocol):
    """A caller whose request is waited for."""

    def fail(self, error: BothendsError) -> None:
        """End the call with `error`: its request took too long to come."""


@dataclass(eq=False, slots=True)
class Wait:
    """A caller whose request is waited for. Its call cancels the wait, as work that is done for it."""

    among: "PendingBodies"
    caller: PendingCaller
    end: float
    """A time of `time.monotonic`."""
    error: BothendsError

    def cancel(self) -> None:
        """End the wait, since the call has ended."""
        self.among.remove(self.caller)


class PendingBodies:
    """Callers whose requests are still on their way."""

    def __init__(self, max_wait_s: float) -> None:
        self.max_wait_s = max_wait_s
        """Seconds that each is waited for, at least."""
        self._lock = threading.Lock()
        self._waits: dict[PendingCaller, Wait] = {}  # the one that has been waited for longest comes first

    def __len__(self) -> int:
        return len(self._waits)

    def add(self, caller: PendingCaller, error: BothendsError) -> Wait:
        """Wait for the caller's request; if it gives way, it fails with `error`. Cancel the wait if the call ends."""
        wait = Wait(self, caller, monotonic() + self.max_wait_s, error)
        with self._lock:
            self._waits[caller] = wait
        return wait

    def remove(self, caller: PendingCaller) -> bool:
        """Wait for the caller no more; returns True if it was waited for until now."""
        with self._lock:
            return self._waits.pop(caller, None) is not None

    def evict_one(self) -> bool:
        """Turn away the caller that has taken longest, if that was too long; returns True if one was.

        Without that, callers that never send would keep all slots.
        """
        with self._lock:
            caller = next(iter(self._waits), None)
            if caller is None or monotonic() < self._waits[caller].end:
                return False
            wait = self._waits.pop(caller)
        caller.fail(wait.error)
        return True
