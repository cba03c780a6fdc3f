"""A call of any protocol, as dispatch takes it: read, then answered or failed; and how many answers are on their way.

Knows no protocol, no queue and no method.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeAlias

from google.rpc import status_pb2

DETAILS = "grpc-status-details-bin"
"""Name of the trailing metadata that carries a google.rpc.Status, where grpcio-status and its like look for it."""

Metadata: TypeAlias = Iterable[tuple[str, str | bytes]]
"""Names, in lower case, and values that came with a call."""


class Inbound(Protocol):
    """A call of any protocol, as dispatch.py takes it: read or not, then answered or failed, once, from any thread."""

    deadline: float | None
    """Time of `time.monotonic` at which the caller stops waiting; None for never."""
    metadata: Metadata
    """Names, in lower case, and values that came with the call."""
    arrived: float
    """Time of `time.monotonic` at which the call came."""

    def read(self, then: Callable[[bytes | None], None]) -> None:
        """Call `then` with the request's bytes; None where none came, or too many."""
        ...

    def answer(self, content: bytes) -> None:
        """Send the response's bytes."""
        ...

    def fail(self, status: status_pb2.Status) -> None:
        """Send `status` and no response."""
        ...

    def on_cancelled(self, then: Callable[[], None]) -> None:
        """Call `then` once the caller of a read call has left, or its deadline has passed; at once if it has."""
        ...

    def wire_status(self, code: int) -> int | None:
        """Return the protocol's own number for a call that ends with this gRPC status code; None for a silent end."""
        ...


class Received(Inbound, Protocol):
    """A call whose request has come."""

    content: bytes
    """Bytes of the request."""


class Outbox:
    """Number of responses on their way: made, but not yet all on the wire, since their callers read slowly."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._on_their_way = 0

    def put(self) -> None:
        """Count a response that sets out."""
        with self._changed:
            self._on_their_way += 1

    def sent(self, _: Any) -> None:
        """Count off a response that is on the wire, or whose caller has gone."""
        with self._changed:
            self._on_their_way -= 1
            if not self._on_their_way:
                self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait until none is on its way; returns True if that was so within `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._on_their_way, timeout_s)
