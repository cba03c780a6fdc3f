"""gRPC transport over grpcio's public API: grpc.aio's server, in its own thread.

Each call costs the event loop some coroutines, about as much time as the threads of grpc.server would cost. But idle
streams hold no thread.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from time import monotonic
from typing import Any, TypeVar

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2_grpc

from ....errors import StartupError
from ....settings import GrpcSettings
from ...usage import Usage
from ..contract import Batch, Method, Status, Statuses
from .call_registry import CallRegistry, Outcome
from .health import Health
from .streams import Streams
from .unary import UnaryCalls

_KEEPALIVE_TIMEOUT_S, _PING_STRIKES = 20.0, 2
"""Seconds that a peer has to answer a ping, and number of its own pings that may come too soon; as in the native
transport."""
_LOOK_S = 0.01
"""Interval of looks at whether calls are still open."""
T = TypeVar("T")


def _is_news(record: logging.LogRecord) -> bool:
    """Return False for what gRPC logs, at length, of an answer whose caller left in that very moment."""
    return not (record.exc_info and isinstance(record.exc_info[1], grpc.aio.InternalError))


# The name of a log alone: nothing of that module is used, and were it to change, these lines would be logged again.
logging.getLogger("grpc._cython.cygrpc").addFilter(_is_news)


class GrpcioListener:
    """Port that grpcio listens on, and the event loop that serves it."""

    def __init__(self, address: str, credentials: grpc.ServerCredentials | None, settings: GrpcSettings) -> None:
        """Bind `address`, host:port. Raises StartupError."""
        self._settings = settings
        self._bound: Future[int] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._live(address, credentials)), name="bothends-grpc", daemon=True
        )
        self._thread.start()
        self.port = self._bound.result()

    def serve(
        self,
        methods: Sequence[Method],
        *,
        headers: Sequence[str],
        health: Sequence[str],
        statuses: Statuses,
        http: object = None,  # noqa: ARG002  uvicorn serves that
        shards: int = 1,  # noqa: ARG002  one event loop serves all
    ) -> "GrpcioTransport":
        """Make the transport on this port; may be called once. The parameters are those of `Listener.serve`; `http`
        and `shards` aren't used.
        """
        registry = CallRegistry(frozenset(headers), statuses, self._settings)
        return self.run(self._transport(registry, methods, health))

    def renew(self) -> None:
        """Do nothing: grpcio's credentials ask for renewed certificates themselves."""

    def close(self) -> None:
        """Close the port."""
        self.run(self.server.start())  # gRPC lets go of a bound port only once it has run
        self.stop(None)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the event loop, and wait for its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def later(self, act: Callable[..., None], *arguments: object) -> None:
        """Schedule `act` in the event loop. Does nothing if the loop has stopped."""
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(act, *arguments)

    def stop(self, grace_s: float | None) -> None:
        """Stop the server and its event loop, and wait for both."""
        if self._thread.is_alive():
            self.run(self.server.stop(grace_s))
            self.later(self._stopped.set)
            self._thread.join()

    async def _live(self, address: str, credentials: grpc.ServerCredentials | None) -> None:
        self.loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        self.server = grpc.aio.server(options=list(_options(self._settings)))
        try:
            if credentials is None:
                self._bound.set_result(self.server.add_insecure_port(address))
            else:
                self._bound.set_result(self.server.add_secure_port(address, credentials))
        except RuntimeError as error:
            self._bound.set_exception(StartupError(f"gRPC can't listen on {address}: {error}"))
            return
        await self._stopped.wait()

    async def _transport(
        self, registry: CallRegistry, methods: Sequence[Method], health: Sequence[str]
    ) -> "GrpcioTransport":
        return GrpcioTransport(self, registry, methods, Health(health))


class GrpcioTransport:
    """`Transport` over grpcio."""

    def __init__(
        self, listener: GrpcioListener, registry: CallRegistry, methods: Sequence[Method], health: Health
    ) -> None:
        """Add `methods` and `health` to the listener's server, in its event loop."""
        self._listener = listener
        self._registry = registry
        self._queue = registry.queue
        self._health = health
        self._unary, self._streams = UnaryCalls(registry), Streams(registry)
        self.ended = self._queue.ended
        health_pb2_grpc.add_HealthServicer_to_server(health, listener.server)
        for index, (name, is_stream, is_metered, *_) in enumerate(methods):
            _, service, method = name.split("/")
            calls = self._streams if is_stream else self._unary
            handler = calls.handler(index, is_metered=is_metered)
            listener.server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service, {method: handler}),)
            )

    def start(self) -> None:
        """Accept connections."""
        self._listener.run(self._listener.server.start())

    def take_messages(self, max_messages: int, wait_s: float, max_bytes: int = 1 << 22) -> Batch | None:
        """Wait for messages, or for the end of earlier ones, and return both; None once stopped. The parameters are
        those of `Transport.take_messages`.
        """
        return self._queue.take_messages(max_messages, wait_s, max_bytes)

    def wake(self) -> None:
        """Make one `take_messages` return early: one that waits now, or otherwise the next one."""
        self._queue.wake()

    def charge(self, id: int, seconds: float) -> None:  # noqa: A002  the contract's name
        """Do nothing: calls are taken in the order in which they come."""

    def answer(self, ids: Sequence[int], contents: Sequence[bytes], spent: Sequence[float] = ()) -> None:  # noqa: ARG002  there are no turns
        """Send responses."""
        self._settle(ids, contents)

    def fail(self, ids: Sequence[int], statuses: Sequence[Status]) -> None:
        """End the messages `ids` with one error status each, as `Transport.fail` says."""
        self._settle(ids, statuses)

    def _settle(self, ids: Sequence[int], outcomes: Sequence[Outcome]) -> None:
        self._listener.later(self._registry.settle, list(zip(ids, outcomes, strict=True)))

    def set_serving(self, serving: bool, services: Sequence[str] | None = None) -> None:
        """Report SERVING or NOT_SERVING to health checks."""
        self._listener.later(self._health.set_serving, serving, services)

    def set_keys(self, keys: Mapping[bytes, Usage | None] | None) -> None:
        """Refuse calls without a known key."""
        self._registry.keys = None if keys is None else frozenset(keys)

    def drain(self) -> None:
        """Report NOT_SERVING, refuse new calls, and end streams after the messages that were read are answered."""
        self._registry.is_draining = True
        self._listener.later(self._health.drain)
        self._listener.later(self._unary.drain)
        self._listener.later(self._streams.drain)

    def quiet_s(self) -> float:
        """Return the seconds since a metered call last started."""
        return monotonic() - self._registry.last_begun

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until no call is open and every byte is sent."""
        end = monotonic() + timeout_s
        while self._registry.open and monotonic() < end:
            time.sleep(_LOOK_S)
        return not self._registry.open

    def stop(self, grace_s: float) -> None:
        """Close all connections, after at most `grace_s` seconds."""
        self._listener.stop(grace_s)
        self._queue.close()

    def figures(self) -> dict[str, float]:
        """Return the numbers of open calls, of the slots that they hold, and of waiting messages."""
        return {"calls": self._registry.open, "slots": self._unary.slots, "waiting": self._queue.waiting}

    def bounds(self) -> dict[str, float]:
        """Return the upper limits of `figures`: here only that of the slots which calls hold."""
        return {"slots": self._registry.settings.max_concurrent_requests}


def _options(settings: GrpcSettings) -> Iterator[tuple[str, int]]:
    """List gRPC's names for the bounds of connections (grpc/impl/channel_arg_names.h)."""
    yield "grpc.so_reuseport", 0  # else two servers would share a port and neither would notice
    yield "grpc.max_receive_message_length", settings.max_message_bytes
    yield "grpc.max_send_message_length", -1
    if not settings.max_inflated_bytes:
        yield "grpc.compression_enabled_algorithms_bitset", 1  # identity
    yield "grpc.max_allowed_incoming_connections", settings.max_connections
    yield "grpc.max_concurrent_streams", settings.max_connection_requests
    # It also counts calls that are over for their caller and not yet quite for us, and refuses as many new ones.
    yield "grpc.http.overload_protection", 0
    # gRPC's own line, of calls that weren't looked at yet, holds as many as one connection may begin at once. What is
    # over it is dropped there, for a fraction of what refusing it here would cost; in a longer line they would get old.
    yield "grpc.server.max_pending_requests", settings.max_connection_requests
    yield "grpc.server.max_pending_requests_hard_limit", settings.max_connection_requests + 1
    # A smaller soft limit would refuse some calls by chance between it and the hard one.
    yield "grpc.max_metadata_size", settings.max_header_bytes
    yield "grpc.absolute_max_metadata_size", settings.max_header_bytes
    yield "grpc.server_handshake_timeout_ms", _ms(settings.caller_timeout_s)
    if settings.idle_s:
        yield "grpc.max_connection_idle_ms", _ms(settings.idle_s)
    if settings.age_s:
        yield "grpc.max_connection_age_ms", _ms(settings.age_s)
        yield "grpc.max_connection_age_grace_ms", _ms(settings.age_grace_s)
    yield "grpc.keepalive_time_ms", _ms(settings.keepalive_s)
    yield "grpc.keepalive_timeout_ms", _ms(_KEEPALIVE_TIMEOUT_S)
    yield "grpc.keepalive_permit_without_calls", 1
    yield "grpc.http2.min_ping_interval_without_data_ms", round(settings.min_ping_s * 1000)
    yield "grpc.http2.max_ping_strikes", _PING_STRIKES


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
