"""Logs what the native transport has decided about connections and calls: all when asked, at debug as it comes."""

import logging
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from ipaddress import IPv6Network, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bothends_native.transport import Event

_log = logging.getLogger(__name__)
_LISTENERS = ("gRPC", "HTTP", "health")
"""Names of the native transport's listeners, in their order."""


class EventLog:
    """The events of one transport. Lines hold a caller's network, never more of an address, nor a sentence or a key."""

    def __init__(self, events: Callable[..., Iterable["Event"]]) -> None:
        """`events` is the transport's method of that name: it returns what the transport has decided lately."""
        self._events = events

    def write_all(self) -> None:
        """Log the latest events, a line each, and how many they are: at every log level, since somebody asked."""
        events = list(self._events())
        for event in events:
            _write(logging.INFO, event)
        _handle(logging.INFO, "that is what the transport has decided lately", {"lines": len(events)})

    def follow(self) -> None:
        """Log at debug level the events since the last call of this."""
        if _log.isEnabledFor(logging.DEBUG):
            for event in self._events(are_new=True):
                _write(logging.DEBUG, event)


def network_of(prefix: bytes) -> str:
    """Return a network as people write it: of IPv4 an address, of IPv6 half of one, or that there is none."""
    if len(prefix) == 8:
        return str(IPv6Network((prefix + bytes(8), 64)))
    return str(ip_address(prefix)) if len(prefix) == 4 else "none"


def _write(level: int, event: "Event") -> None:
    _handle(
        level,
        event.words,
        {
            "kind": event.kind,
            "reason": None if event.refusal is None else event.refusal.name,
            "network": network_of(event.network),
            "listener": _LISTENERS[event.listener],
            "connection": event.connection,
            "count": event.count,
            "first": _written(event.first),
            "last": _written(event.last),
        },
    )


def _handle(level: int, words: str, fields: dict[str, object]) -> None:
    """Log a line, whether or not that level is logged."""
    _log.handle(_log.makeRecord(_log.name, level, __file__, 0, words, (), None, extra=fields))


def _written(monotonic: float) -> str:
    """Return a time of time.monotonic as the log writes times."""
    at = datetime.fromtimestamp(time.time() - time.monotonic() + monotonic, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
