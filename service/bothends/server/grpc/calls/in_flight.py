"""The messages that were begun and aren't answered yet, and who is told once a message's caller has left.

A thread may hear that a message is over before another, which has taken it, begins it.
"""

import logging
import threading
from collections.abc import Iterable
from typing import Protocol

from ....observe.unforeseen import error_site

_log = logging.getLogger(__name__)
_EARLY_KEPT = 4096
"""Number of messages that are remembered to be over though they aren't here; those that were answered never come."""


class Owner(Protocol):
    """Whoever answers a message."""

    def leave(self, message_id: int) -> None:
        """Take note that the message is over."""


class InFlight:
    """The messages, by their ids, which are never used again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owners: dict[int, Owner] = {}
        self._early: dict[int, None] = {}  # over and not here; the newest comes last

    def __contains__(self, message_id: int) -> bool:
        return message_id in self._owners

    def add(self, ids: Iterable[int], owner: Owner) -> None:
        """Take note of who answers these; `owner` is told now of those that are over."""
        added = dict.fromkeys(ids, owner)
        with self._lock:
            self._owners.update(added)
            over = [message_id for message_id in added if message_id in self._early] if self._early else ()
        for message_id in over:
            self.end(message_id)

    def remove(self, message_id: int) -> bool:
        """Take out one that is answered; returns True if it was here: it isn't over."""
        return self._owners.pop(message_id, None) is not None

    def end(self, message_id: int) -> None:
        """Take out one that is over, and tell its owner, once it has one."""
        with self._lock:
            owner = self._owners.pop(message_id, None)
            if owner is None:
                self._early[message_id] = None
                if len(self._early) > _EARLY_KEPT:
                    del self._early[next(iter(self._early))]
            else:
                self._early.pop(message_id, None)
        if owner is not None:
            _tell(owner, message_id)


def _tell(owner: Owner, message_id: int) -> None:
    try:
        owner.leave(message_id)
    except Exception as error:  # all others that are over are still to be told
        _log.error("a gRPC message's end couldn't be handled: %s", error_site(error))
