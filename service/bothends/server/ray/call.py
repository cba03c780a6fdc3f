"""Carries unary gRPC calls through Ray's proxy to a replica, as raw bytes and with their deadlines, and back.

`add_services` runs in the proxy, where Ray calls it by its name in `grpc_servicer_functions`; `RayInbound` runs in the
replica. The module doesn't import Ray.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

import grpc
from google.rpc import status_pb2
from grpc_health.v1 import health

from ...wire.messages import SERVICE
from ..caller import Caller
from ..inbound import DETAILS, Inbound, Metadata
from ..keys import digest
from ..thread_times import ThreadTimes

Request: TypeAlias = tuple[bytes, float | None]
"""A request's bytes, and the seconds that its caller still waits; None for ever."""
Handler: TypeAlias = Callable[[Any, Any], Awaitable[Any]]
"""Handler as gRPC's asyncio has it: a request's bytes and its context to the response's bytes."""

_UNARY = {SERVICE: ("Embed", "Tokenize", "GetModel"), health.SERVICE_NAME: ("Check",)}
_STREAMS = {SERVICE: ("EmbedStream",)}
_NO_STREAMS = "Ray's proxies carry no streams of ours: send requests by Embed, or call a server of `bothends serve`"
_LOST = "the replica that had this request is gone; another can answer it"
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


def add_services(_: object, server: Any) -> None:
    """Add handlers of this project's calls to a proxy's `server`. They wrap the handlers that Ray makes for each
    method.

    Ray's own handlers would parse and serialise each message once more, drop a call's deadline, and answer INTERNAL
    when a replica dies, after which no client tries again.
    """
    rays: Callable[..., Handler] = server.service_handler_factory
    _add(server, _UNARY, grpc.unary_unary_rpc_method_handler, lambda **which: _around(rays(**which)))
    _add(server, _STREAMS, grpc.stream_stream_rpc_method_handler, lambda **_: _refuse)


def _add(server: Any, services: Mapping[str, tuple[str, ...]], kind: Callable[..., Any], factory: Any) -> None:
    rays, server.service_handler_factory = server.service_handler_factory, factory
    try:
        for service, methods in services.items():
            handlers = {method: kind(_replaced) for method in methods}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    finally:
        server.service_handler_factory = rays


def _around(rays: Handler) -> Handler:
    async def handle(content: bytes, context: Any) -> Any:
        answer = await rays((content, context.time_remaining()), context)
        # A failure of ours has details, as status.py writes them. Without them it is Ray's: the replica died.
        if context.code() is grpc.StatusCode.INTERNAL and all(
            name != DETAILS for name, _ in context.trailing_metadata()
        ):
            context.set_code(grpc.StatusCode.UNAVAILABLE)
            context.set_details(_LOST)
        return answer

    return handle


async def _refuse(_: Any, context: Any) -> None:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, _NO_STREAMS)


def _replaced(*_: Any) -> None:
    """Hold the place for the handler that Ray makes."""


class RawResponse:
    """Response bytes with the one method by which Ray serialises messages."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def SerializeToString(self) -> bytes:  # noqa: N802  protobuf's name
        """Return the bytes."""
        return self._content


class RayInbound:
    """`Inbound` for a call that Ray's proxy forwards.

    `context` is Ray's, and goes back to the proxy with the response.
    """

    def __init__(self, request: Request, context: Any) -> None:
        self._content, remaining_s = request
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._sent: asyncio.Future[RawResponse] = self._loop.create_future()
        self._on_cancelled: Callable[[], None] | None = None
        self.deadline = None if remaining_s is None else time.monotonic() + remaining_s
        self.metadata: Metadata = context.invocation_metadata()
        self.arrived = time.monotonic()
        self.times = ThreadTimes()
        alone = object()  # Ray's proxies don't say who calls: each call has turns of its own
        self.caller = Caller(alone, alone)

    @property
    def key(self) -> bytes | None:
        """SHA-256 of the key that came with the call; None if there was none."""
        return digest(next((value for name, value in self.metadata if name == "authorization"), None))

    async def serve(self, handle: Callable[[Inbound], None]) -> RawResponse:
        """Handle the call and wait for its response. Ray cancels this when the caller leaves or its deadline passes."""
        try:
            handle(self)
            return await self._sent
        finally:
            then, self._on_cancelled = self._on_cancelled, None
            if then is not None:
                then()

    def read(self, then: Callable[[bytes | None], None]) -> None:
        """Call `then` with the request's bytes at once."""
        then(self._content)

    def charge(self, seconds: float) -> None:
        """Do nothing: Ray's proxies don't say who calls."""

    def answer(self, content: bytes) -> None:
        """Send the response."""
        self._settle(lambda: None, content)

    def fail(self, status: status_pb2.Status) -> None:
        """Send `status`. It is returned, not raised: Ray drops the details of what is raised."""

        def set_status() -> None:
            self._context.set_code(_CODES[status.code])
            self._context.set_details(status.message)
            self._context.set_trailing_metadata([(DETAILS, status.SerializeToString())])

        self._settle(set_status, b"")

    def wire_status(self, code: int) -> int:
        """Return `code`: gRPC's own."""
        return code

    def on_cancelled(self, then: Callable[[], None]) -> None:
        """Call `then`, in the event loop, when the caller leaves or its deadline passes."""
        self._on_cancelled = then

    def _settle(self, set_status: Callable[[], None], content: bytes) -> None:
        def settle() -> None:
            if not self._sent.done():
                set_status()
                self._sent.set_result(RawResponse(content))

        with suppress(RuntimeError):  # the loop is closed: the replica has stopped
            self._loop.call_soon_threadsafe(settle)
