"""Chooses the server that a call is sent to: one that isn't being avoided, with the fewest open calls.

Among equals servers take turns. A slow server keeps its calls, and so gets few; one that refused or failed isn't asked
for a while. gRPC's own policies do neither: its round_robin gives a slow server as many calls as a quick one, and its
outlier detection ejects servers for their callers' mistakes, and in an overload those that the others would need.
Threads and asyncio share this code, as they share core.py.
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

_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.1, 10.0
"""Backoff after one failure, and the backoff at which doubling for each further failure in a row ends."""
_MAX_DOUBLINGS = 10
_BACKOFF_ERRORS = (OverloadedError, NotServingError, ConnectionFailedError, DeadlineError, EngineError)
"""Errors after which another server is the better choice. Any other error is an answer."""


@dataclass(slots=True, eq=False)
class Backend(Generic[CallT]):
    """One server, and how it fared in the calls that were sent to it."""

    transport: Transport[CallT]
    calls: int = 0
    """Number of calls in progress."""
    failures: int = 0
    """Number of failures in a row. Those during one backoff are counted once."""
    backoff_until: float = -math.inf
    """Time, by the balancer's clock, before which another server is preferred."""

    def back_off(self, error: BothendsError, now: float) -> None:
        """Begin or prolong the backoff: it lasts as long as `error` asks (RetryInfo), and doubles with each failure."""
        if now >= self.backoff_until:
            self.failures += 1
        backoff_s = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0 ** min(self.failures - 1, _MAX_DOUBLINGS))
        if isinstance(error, OverloadedError):
            backoff_s = max(backoff_s, error.retry_after_s)
        self.backoff_until = max(self.backoff_until, now + backoff_s)

    def backoff_s(self, now: float) -> float:
        """Return the seconds of backoff that are left."""
        return max(0.0, self.backoff_until - now)


@dataclass(slots=True, eq=False)
class BackendCall(Generic[CallT]):
    """A call in progress and its server. It is released once, however often it ends."""

    balancer: "Balancer[CallT]"
    server: Backend[CallT]
    call: Cancellable
    is_over: bool = field(default=False, init=False)

    def cancel(self) -> None:
        """Cancel the call at its server: its answer isn't wanted any more."""
        self.call.cancel()
        self.balancer.release(self)


@dataclass(slots=True, eq=False)
class BackendStream(BackendCall[CallT]):
    """A call of many messages and its server. It goes on until it is cancelled."""

    call: StreamCall

    def send(self, request: Message | None) -> None:
        """Send `request` as `StreamCall.send` does."""
        self.call.send(request)

    async def receive(self) -> Any | None:
        """Receive a message as `StreamCall.receive` does, and record what it says of the server."""
        try:
            answer = await self.call.receive()
        except grpc.RpcError as raised:
            self.balancer.record(self, raised)
            raise
        self.balancer.record(self, None)
        return answer


class Balancer(Generic[CallT]):
    """A transport over those of several servers, or of one. Safe between threads."""

    def __init__(self, transports: Sequence[Transport[CallT]], *, clock: Callable[[], float]) -> None:
        """Take a transport for each server. `clock` counts in the seconds that the transports sleep in."""
        self._servers = [Backend(transport) for transport in transports]
        self._clock = clock
        self._turns = 0
        self._lock = threading.Lock()

    def ready_in_s(self) -> float:
        """Return the seconds until the backoff of some server ends; 0 where one has none."""
        now = self._clock()
        with self._lock:
            return min(server.backoff_s(now) for server in self._servers)

    def start(self, method: Method, request: Message, *, timeout_s: float) -> BackendCall[CallT]:
        """Send `request` to the best server, without waiting for the answer."""
        server = self._pick()
        return BackendCall(self, server, server.transport.start(method, request, timeout_s=timeout_s))

    async def response(self, call: BackendCall[CallT]) -> Any:
        """Wait for the answer to `call`. Raises grpc.RpcError."""
        started: Any = call.call
        try:
            answer = await call.server.transport.response(started)
        except grpc.RpcError as raised:
            self.record(call, raised)
            raise
        else:
            self.record(call, None)
            return answer
        finally:
            self.release(call)

    def open_stream(self, method: Method, *, timeout_s: float) -> BackendStream[CallT]:
        """Begin a call of many messages at the best server."""
        server = self._pick()
        return BackendStream(self, server, server.transport.open_stream(method, timeout_s=timeout_s))

    async def sleep(self, seconds: float) -> None:
        """Sleep as the transports do."""
        await self._servers[0].transport.sleep(seconds)

    def record(self, call: BackendCall[CallT], raised: grpc.RpcError | None) -> None:
        """Count an answer for the server of `call`, or what the call `raised` against it."""
        error = None if raised is None else from_grpc(raised, "a server", 0)
        now = self._clock()
        with self._lock:
            if isinstance(error, _BACKOFF_ERRORS):
                call.server.back_off(error, now)
            else:
                call.server.failures = 0

    def release(self, call: BackendCall[CallT]) -> None:
        """Count `call` as over; more than once makes no difference."""
        with self._lock:
            call.server.calls -= not call.is_over
            call.is_over = True

    def _pick(self) -> Backend[CallT]:
        """Pick the server of the next call, and count that call. Where all are in backoff, take the first to end it."""
        now = self._clock()
        with self._lock:
            self._turns = (self._turns + 1) % len(self._servers)
            in_turn = self._servers[self._turns :] + self._servers[: self._turns]
            server = min(in_turn, key=lambda server: (server.backoff_s(now), server.calls))
            server.calls += 1
            return server
