"""The interface of a call, whatever its protocol, to dispatch: it is read, then answered or failed."""

import time
from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias, runtime_checkable

from google.rpc import code_pb2, status_pb2

from .answer_budget import AnswerBudget, Share
from .caller import Caller

DETAILS = "grpc-status-details-bin"
"""Name of the trailing metadata that carries a google.rpc.Status, where grpcio-status and its like look for it."""

_ROUNDING = 0.01
"""Share of its timeout by which a gRPC client may tell more than it waits: it sends two or three digits, rounded up."""
_TRANSIT_S = 0.01
"""Seconds by which a caller's clock may be ahead: it runs from before the call is sent."""

Metadata: TypeAlias = Iterable[tuple[str, str | bytes]]
"""Names, in lower case, and values that came with a call."""


class Inbound(Protocol):
    """A call of any protocol, as dispatch.py takes it: read or not, then answered or failed, once, from any thread."""

    deadline: float | None
    """Time of `time.monotonic` at which the caller stops waiting; None for never."""
    metadata: Metadata
    """Names, in lower case, and values that came with the call. Of gRPC's, those that were asked for."""
    arrived: float
    """Time of `time.monotonic` at which the call came."""
    caller: Caller
    """Connection, or address, that it came from, and its network: whoever has no key has turns by it."""

    @property
    def key(self) -> bytes | None:
        """SHA-256 of the key that came with the call, as keys.py has it; None where none did."""
        ...

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


@runtime_checkable
class HasHeaders(Protocol):
    """A call whose answer may have headers of a front's own, as HTTP's may."""

    answer_headers: dict[str, str]
    """Headers that the answer is sent with."""


@runtime_checkable
class ChoosesStatus(Protocol):
    """A call whose protocol's own status depends on more than gRPC's code, as HTTP's may."""

    def ends_with(self, status: status_pb2.Status) -> None:
        """Take note of the status that the call will fail with, before it is counted."""


@runtime_checkable
class KeepsRoom(Protocol):
    """A call whose answer takes room from when it is begun until it is being sent."""

    def keep(self, answer_budget: AnswerBudget, share: Share) -> None:
        """Take so much, and give it back in time; nothing where the caller has left."""
        ...


def code_of_leaving(deadline: float | None, arrived: float) -> int:
    """Return the gRPC status code of a call whose caller leaves now, by times of `time.monotonic`.

    DEADLINE_EXCEEDED about when its time is over, since the caller knows that a little earlier; else CANCELLED.
    """
    now = time.monotonic()
    is_early = deadline is None or deadline - now > _ROUNDING * (now - arrived) + _TRANSIT_S
    return int(code_pb2.CANCELLED if is_early else code_pb2.DEADLINE_EXCEEDED)
