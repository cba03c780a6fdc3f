"""Which server is asked next: of those that don't rest, one with the fewest calls in progress; among equals, in turn.

A slow server keeps its calls, and so gets few; one that refused or failed rests. gRPC's own policies do neither: its
round_robin gives a slow server as many calls as a quick one, and its outlier detection takes out servers for their
callers' mistakes, and in an overload those that the rest would need. Written once for threads and for asyncio, as
caller.py is. Knows no address.
"""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

import grpc
from google.protobuf.message import Message

from ..errors import BothendsError, ConnectionFailedError, DeadlineError, EngineError, NotServingError, OverloadedError
from .errors import from_grpc
from .transport import CallT, Cancellable, Method, StreamCall, Transport

_FIRST_REST_S, _LONGEST_REST_S = 0.1, 10.0
"""After one failure, and at which doubling for each further one in a row ends."""
_MOST_DOUBLINGS = 10
_UNANSWERED = (OverloadedError, NotServingError, ConnectionFailedError, DeadlineError, EngineError)
"""After which another server is the better choice. Any other error is an answer."""


@dataclass(slots=True, eq=False)
class BalancedServer(Generic[CallT]):
    """One of them, as its calls have shown it."""

    transport: Transport[CallT]
    calls: int = 0
    """In progress."""
    failures: int = 0
    """In a row, of which those that came while it rested count once."""
    rests_until: float = -math.inf

    def failed(self, error: BothendsError, now: float) -> None:
        """Let it rest: as long as it asked for (RetryInfo), and longer the more often it has failed."""
        if now >= self.rests_until:
            self.failures += 1
        rest_s = min(_LONGEST_REST_S, _FIRST_REST_S * 2.0 ** min(self.failures - 1, _MOST_DOUBLINGS))
        if isinstance(error, OverloadedError):
            rest_s = max(rest_s, error.retry_after_s)
        self.rests_until = max(self.rests_until, now + rest_s)

    def rest_s(self, now: float) -> float:
        """Seconds that it still rests."""
        return max(0.0, self.rests_until - now)


@dataclass(slots=True, eq=False)
class BalancedCall(Generic[CallT]):
    """A call in progress, and where. It ends once, however often that is said."""

    balancer: "Balancer[CallT]"
    server: BalancedServer[CallT]
    call: Cancellable
    is_over: bool = field(default=False, init=False)

    def cancel(self) -> None:
        """Tell the server that nobody wants the answer."""
        self.call.cancel()
        self.balancer.ended(self)


@dataclass(slots=True, eq=False)
class BalancedStream(BalancedCall[CallT]):
    """The same for a call of many messages, which goes on until it is cancelled."""

    call: StreamCall

    def send(self, request: Message | None) -> None:
        """As any conversation."""
        self.call.send(request)

    async def receive(self) -> Any | None:
        """As any conversation."""
        try:
            answer = await self.call.receive()
        except grpc.RpcError as raised:
            self.balancer.answered(self, raised)
            raise
        self.balancer.answered(self, None)
        return answer


class Balancer(Generic[CallT]):
    """A transport over those of several servers, or of one. Safe between threads."""

    def __init__(self, transports: Sequence[Transport[CallT]], *, clock: Callable[[], float]) -> None:
        """`clock` counts in seconds as the transports sleep in."""
        self._servers = [BalancedServer(transport) for transport in transports]
        self._clock = clock
        self._turns = 0
        self._lock = threading.Lock()

    def ready_in_s(self) -> float:
        """Seconds until some server has had its rest; 0 where one doesn't rest."""
        now = self._clock()
        with self._lock:
            return min(server.rest_s(now) for server in self._servers)

    def start(self, method: Method, request: Message, *, timeout_s: float) -> BalancedCall[CallT]:
        """Send `request` to whom it is best sent, and don't wait."""
        server = self._chosen()
        return BalancedCall(self, server, server.transport.start(method, request, timeout_s=timeout_s))

    async def response(self, placed: BalancedCall[CallT]) -> Any:
        """The answer. Raises grpc.RpcError."""
        call: Any = placed.call
        try:
            answer = await placed.server.transport.response(call)
        except grpc.RpcError as raised:
            self.answered(placed, raised)
            raise
        else:
            self.answered(placed, None)
            return answer
        finally:
            self.ended(placed)

    def open_stream(self, method: Method, *, timeout_s: float) -> BalancedStream[CallT]:
        """Begin a call of many messages with whom it is best begun."""
        server = self._chosen()
        return BalancedStream(self, server, server.transport.open_stream(method, timeout_s=timeout_s))

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await self._servers[0].transport.sleep(seconds)

    def answered(self, placed: BalancedCall[CallT], raised: grpc.RpcError | None) -> None:
        """What a call says of its server."""
        error = None if raised is None else from_grpc(raised, "a server", 0)
        now = self._clock()
        with self._lock:
            if isinstance(error, _UNANSWERED):
                placed.server.failed(error, now)
            else:
                placed.server.failures = 0

    def ended(self, placed: BalancedCall[CallT]) -> None:
        """A call is no longer in progress."""
        with self._lock:
            placed.server.calls -= not placed.is_over
            placed.is_over = True

    def _chosen(self) -> BalancedServer[CallT]:
        """Whom to ask; where all rest, the one whose rest ends first. Its call is in progress from here on."""
        now = self._clock()
        with self._lock:
            self._turns = (self._turns + 1) % len(self._servers)
            in_turn = self._servers[self._turns :] + self._servers[: self._turns]
            server = min(in_turn, key=lambda server: (server.rest_s(now), server.calls))
            server.calls += 1
            return server
