"""The messages that were begun and aren't answered yet, and who is told once a message's caller has left.

A thread may hear that a message is over before another, which has taken it, begins it.
"""

import logging
import threading
from collections.abc import Callable

from ....observe.unforeseen import error_site

_log = logging.getLogger(__name__)
_EARLY_KEPT = 4096
"""Number of messages that are remembered to be over though they aren't here; those that were answered never come."""


class InFlight:
    """The messages, by their ids, which are never used again, each with what its end is told to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tell: dict[int, Callable[[], None]] = {}
        self._early: dict[int, None] = {}  # over and not here; the newest comes last

    def add(self, message_id: int, tell: Callable[[], None]) -> None:
        """Have `tell` called once the message is over before it is answered; now, if it is over."""
        with self._lock:
            self._tell[message_id] = tell
            is_over = message_id in self._early
        if is_over:
            self.end(message_id)

    def remove(self, message_id: int) -> bool:
        """Take out one that is answered; returns True if it was here: it isn't over."""
        return self._tell.pop(message_id, None) is not None

    def end(self, message_id: int) -> None:
        """Take out one that is over, and tell of it, once somebody is there to be told."""
        with self._lock:
            tell = self._tell.pop(message_id, None)
            if tell is None:
                self._early[message_id] = None
                if len(self._early) > _EARLY_KEPT:
                    del self._early[next(iter(self._early))]
                return
            self._early.pop(message_id, None)
        try:
            tell()
        except Exception as error:  # all others that are over are still to be told
            _log.error("a gRPC message's end couldn't be handled: %s", error_site(error))
