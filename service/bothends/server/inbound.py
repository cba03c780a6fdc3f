"""Interface of a call of any protocol to dispatch.py: it is read, then answered or failed."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeAlias, runtime_checkable

from google.rpc import code_pb2, status_pb2

from ..batching.request import Ticket
from .caller import Caller
from .thread_times import ThreadTimes

DETAILS = "grpc-status-details-bin"
"""Name of the trailing metadata that carries a google.rpc.Status, where grpcio-status and its like look for it."""

_ROUNDING = 0.01
"""Share of its timeout by which a gRPC client may tell more than it waits: it sends two or three digits, rounded up."""
_TRANSIT_S = 0.01
"""Seconds by which a caller's clock may be ahead: it runs from before the call is sent."""

Metadata: TypeAlias = Iterable[tuple[str, str | bytes]]
"""Names, in lower case, and values that came with a call."""


class Inbound(Protocol):
    """Call of any protocol. Dispatch may read its request, and then answers or fails it once, from any thread."""

    deadline: float | None
    """Time of `time.monotonic` at which the caller stops waiting; None for never."""
    metadata: Metadata
    """Names, in lower case, and values that came with the call. Of gRPC's, those that were asked for."""
    arrived: float
    """Time of `time.monotonic` at which the call came."""
    caller: Caller
    """Connection, or address, that it came from, with its network; used for the turns of callers without a key."""

    times: ThreadTimes
    """What threads use for the call, as far as it is to be charged."""

    @property
    def key(self) -> bytes | None:
        """SHA-256 of the key that came with the call, as `keys.digest` computes it; None if there was none."""
        ...

    def read(self, then: Callable[[bytes | None], None]) -> None:
        """Call `then` with the request's bytes; with None if none arrived or they were too many."""
        ...

    def charge(self, seconds: float) -> None:
        """Count `seconds` of a core that were spent on the call against its caller's turns, before it is answered."""
        ...

    def answer(self, content: bytes) -> None:
        """Send the response."""
        ...

    def fail(self, status: status_pb2.Status) -> None:
        """End the call with the error `status`."""
        ...

    def on_cancelled(self, then: Callable[[], None]) -> None:
        """Call `then` when the caller leaves or its deadline passes, once the call is read; at once if that has
        happened.
        """
        ...

    def wire_status(self, code: int) -> int | None:
        """Return the protocol's own status code for a call that ends with this gRPC code; None if nothing is sent."""
        ...


@runtime_checkable
class HasHeaders(Protocol):
    """Call whose answer may carry extra headers, as in HTTP."""

    answer_headers: dict[str, str]
    """Headers that the answer is sent with."""


@runtime_checkable
class HasPath(Protocol):
    """Call whose path says a part of what is asked for, as in HTTP."""

    path_params: Mapping[str, str]
    """Variable parts of the path, by their names in its route."""


@runtime_checkable
class ChoosesStatus(Protocol):
    """Call whose protocol chooses its status by more than the gRPC code, as in HTTP."""

    def ends_with(self, status: status_pb2.Status) -> None:
        """Record the status with which the call is going to fail, before metrics count it."""


@runtime_checkable
class HasTicket(Protocol):
    """Call whose transport has turns, in which its sentences wait to be computed."""

    @property
    def ticket(self) -> Ticket | None:
        """Its place in the turns; None where this server's transport has none."""
        ...


def code_of_leaving(deadline: float | None, arrived: float) -> int:
    """Return the gRPC status code of a call whose caller leaves now; times are by `time.monotonic`.

    It is DEADLINE_EXCEEDED shortly before the deadline and after it, since callers see their deadline a little earlier,
    and CANCELLED otherwise.
    """
    now = time.monotonic()
    is_early = deadline is None or deadline - now > _ROUNDING * (now - arrived) + _TRANSIT_S
    return int(code_pb2.CANCELLED if is_early else code_pb2.DEADLINE_EXCEEDED)
