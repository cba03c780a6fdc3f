"""Chooses the server for each call: the one with the fewest open calls that isn't backing off.

Equal servers take turns. A slow server keeps its calls open, and so gets few; a server that refused or failed isn't
used for a while. gRPC's own policies do neither: round_robin gives a slow server as many calls as a fast one, and
outlier detection ejects servers for their callers' mistakes, and under overload those that are needed. Threads and
asyncio share this code, like core.py.
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
    """Server, with its open calls and how its calls have fared."""

    transport: Transport[CallT]
    calls: int = 0
    """Number of calls in progress."""
    failures: int = 0
    """Number of failures in a row. Those during one backoff are counted once."""
    backoff_until: float = -math.inf
    """Time, by the balancer's clock, before which another server is preferred."""

    def back_off(self, error: BothendsError, now: float) -> None:
        """Start or prolong the backoff: it lasts as long as `error` asks (RetryInfo), and doubles with each failure."""
        if now >= self.backoff_until:
            self.failures += 1
        backoff_s = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0 ** min(self.failures - 1, _MAX_DOUBLINGS))
        if isinstance(error, OverloadedError):
            backoff_s = max(backoff_s, error.retry_after_s)
        self.backoff_until = max(self.backoff_until, now + backoff_s)

    def backoff_s(self, now: float) -> float:
        """Return the remaining seconds of backoff."""
        return max(0.0, self.backoff_until - now)


@dataclass(slots=True, eq=False)
class BackendCall(Generic[CallT]):
    """Call in progress and its server. It is counted off once, however often it ends."""

    balancer: "Balancer[CallT]"
    server: Backend[CallT]
    call: Cancellable
    is_over: bool = field(default=False, init=False)

    def cancel(self) -> None:
        """Cancel the call at its server, because its answer is no longer wanted."""
        self.call.cancel()
        self.balancer.release(self)


@dataclass(slots=True, eq=False)
class BackendStream(BackendCall[CallT]):
    """Call of many messages and its server. It goes on until it is cancelled."""

    call: StreamCall

    def send(self, request: Message | None) -> None:
        """Send `request`; see `StreamCall.send`."""
        self.call.send(request)

    async def receive(self) -> Any | None:
        """Receive a message (see `StreamCall.receive`), and record success or failure for the server."""
        try:
            answer = await self.call.receive()
        except grpc.RpcError as raised:
            self.balancer.record(self, raised)
            raise
        self.balancer.record(self, None)
        return answer


class Balancer(Generic[CallT]):
    """Transport that distributes calls over the transports of one or several servers. Thread-safe."""

    def __init__(self, transports: Sequence[Transport[CallT]], *, clock: Callable[[], float]) -> None:
        """Take a transport for each server. `clock` counts in the seconds that the transports sleep in."""
        self._servers = [Backend(transport) for transport in transports]
        self._clock = clock
        self._turns = 0
        self._lock = threading.Lock()

    def ready_in_s(self) -> float:
        """Return the seconds until the first backoff ends; 0 if a server has none."""
        now = self._clock()
        with self._lock:
            return min(server.backoff_s(now) for server in self._servers)

    def start(self, method: Method, request: Message, *, timeout_s: float) -> BackendCall[CallT]:
        """Send `request` to the best server without waiting for the answer."""
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
        """Start a call of many messages at the best server."""
        server = self._pick()
        return BackendStream(self, server, server.transport.open_stream(method, timeout_s=timeout_s))

    async def sleep(self, seconds: float) -> None:
        """Sleep like the transports do."""
        await self._servers[0].transport.sleep(seconds)

    def record(self, call: BackendCall[CallT], raised: grpc.RpcError | None) -> None:
        """Record for the server of `call` an answer, or the error that the call `raised`."""
        error = None if raised is None else from_grpc(raised, "a server", 0)
        now = self._clock()
        with self._lock:
            if isinstance(error, _BACKOFF_ERRORS):
                call.server.back_off(error, now)
            else:
                call.server.failures = 0

    def release(self, call: BackendCall[CallT]) -> None:
        """Count `call` as ended. Calling it again makes no difference."""
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
