"""The HTTP side: /metrics for Prometheus, /healthz and /readyz for probes, and the routes that fronts bring.

Runs in a thread of its own, whose event loop serves every call. Knows no front.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ...errors import StartupError
from ...settings import HttpSettings
from ..inbound import Outbox
from ..keys import Keys
from ..tls import Certificates
from .auth import UNAUTHENTICATED, who_calls

LAST_BYTES_S = 2
"""Seconds that a stopping server gives callers to read the end of what was sent."""


def application(
    registry: CollectorRegistry,
    is_ready: Callable[[], bool],
    *,
    metrics_for: Literal["open", "keys", "off"] = "open",
    keys: Keys | None = None,
    routes: Iterable[BaseRoute] = (),
) -> Starlette:
    """Make the ASGI application over metrics and readiness, with its fronts' `routes`. Health needs no key."""

    def metrics(request: Request) -> Response:
        if metrics_for == "keys":
            who_calls(request, keys)
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(registry), headers={"Content-Type": content_type})

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_: Request) -> Response:
        ready = is_ready()
        return JSONResponse({"status": "serving" if ready else "not serving"}, 200 if ready else 503)

    pages: list[BaseRoute] = [Route("/healthz", healthz), Route("/readyz", readyz)]
    if metrics_for != "off":
        pages.append(Route("/metrics", metrics))
    return Starlette(routes=[*pages, *routes], exception_handlers=UNAUTHENTICATED)


class _ShortHeaders:
    """Application that answers requests whose headers have at most so many bytes; 431 for others.

    h11's own bound is on headers that haven't come whole: one large piece would pass.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fits = sum(len(name) + len(value) for name, value in scope["headers"]) <= self._most
        await (self._app if fits else Response(status_code=431))(scope, receive, send)


class _Counted:
    """Application whose answers are counted as on their way until it is done with them."""

    def __init__(self, app: ASGIApp, outbox: Outbox) -> None:
        self._app = app
        self._outbox = outbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._outbox.put()
        try:
            await self._app(scope, receive, send)
        finally:
            self._outbox.sent(None)


class _BoundedH11Protocol(H11Protocol):
    """uvicorn's HTTP within bounds: else it waits for ever for a request's rest or a reader, and takes any number."""

    def __init__(self, *arguments: Any, most: int, max_wait_s: float, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._most = most
        self._max_wait_s = max_wait_s
        self._timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._most:
            transport.abort()
        else:
            self._wait(self._max_wait_s)

    def on_response_complete(self) -> None:
        self._wait(self.timeout_keep_alive + self._max_wait_s)
        super().on_response_complete()

    def pause_writing(self) -> None:
        self._wait(self._max_wait_s)
        super().pause_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
        super().connection_lost(exc)

    def _wait(self, at_most_s: float) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
        self._timeout = self.loop.call_later(at_most_s, self._give_up)

    def _give_up(self) -> None:
        """Close, unless a request is in progress and its answer is being read; HttpCall bounds the time of its body."""
        if self.cycle is None or self.cycle.response_complete or self.flow.write_paused:
            self.transport.abort()


class WebServer:
    """uvicorn on a socket that is bound already, in a daemon thread. `stop` closes the socket."""

    def __init__(
        self, app: Starlette, listener: socket.socket, settings: HttpSettings, certificates: Certificates | None
    ) -> None:
        self.outbox = Outbox()
        config = uvicorn.Config(
            _Counted(_ShortHeaders(app, settings.max_header_bytes), self.outbox),
            log_config=None,
            loop="asyncio",  # not uvloop where it happens to be installed: this one was tested
            access_log=False,
            lifespan="off",
            ws="none",
            http=partial(_BoundedH11Protocol, most=settings.max_http_connections, max_wait_s=settings.handshake_s),  # type: ignore[arg-type]  # called like a class
            h11_max_incomplete_event_size=settings.max_header_bytes,
            timeout_keep_alive=settings.http_idle_s,
            timeout_graceful_shutdown=LAST_BYTES_S,
            server_header=False,
            ssl_context_factory=None if certificates is None else lambda *_: certificates.context(),
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="bothends-http", daemon=True
        )

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return len(self._server.server_state.connections)

    def start(self) -> None:
        """Serve; returns once requests are taken. Raises StartupError if uvicorn ends before."""
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.002)  # uvicorn offers a flag, no event
        if not self._server.started:
            raise StartupError("the HTTP server ended before it answered")

    def stop(self) -> None:
        """Stop and wait for the thread."""
        self._server.should_exit = True
        self._thread.join(timeout=5)
