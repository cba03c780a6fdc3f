"""Messages that are in progress, and the callbacks to call when a message's caller leaves.

One thread may learn that a message has ended before the thread that took the message starts on it.
"""

import logging
import threading
from collections.abc import Callable

from ....observe.unforeseen import error_site

_log = logging.getLogger(__name__)
_EARLY_KEPT = 4096
"""Number of messages that are remembered to be over though they aren't here; those that were answered never come."""


class InFlight:
    """Messages in progress by their ids, each with the callback for its early end. Ids are never reused."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tell: dict[int, Callable[[], None]] = {}
        self._early: dict[int, None] = {}  # over and not here; the newest comes last

    def add(self, message_id: int, tell: Callable[[], None]) -> None:
        """Call `tell` when the message ends before it is answered; at once if it has already ended."""
        with self._lock:
            self._tell[message_id] = tell
            is_over = message_id in self._early
        if is_over:
            self.end(message_id)

    def remove(self, message_id: int) -> bool:
        """Remove a message that is answered; returns False if it had already ended."""
        return self._tell.pop(message_id, None) is not None

    def end(self, message_id: int) -> None:
        """Remove a message that has ended early, and call its callback, as soon as one is added."""
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
