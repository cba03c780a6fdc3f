"""The HTTP server: /metrics for Prometheus, /healthz and /readyz for probes, and the routes that fronts bring.

Its event loop runs in a thread of its own and serves every call.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Literal

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from ...errors import StartupError
from ...settings import HttpSettings
from ..inbound import Outbox
from ..keys import Keys
from ..sockets import WAITING
from ..tls import Certificates
from .answers import Counted, Paced
from .auth import UNAUTHENTICATED, who_calls
from .connection import BoundedH11Protocol, Closing
from .recent import Recent

_OPENMETRICS = "application/openmetrics-text"
_MOST_ACCEPTED = 16
"""Connections that asyncio accepts before others have their turn. Where file descriptors run out, it tries so often at
once, and again in a second."""
_SECOND_S = 1.0
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
    texts, openmetrics = (_Exposition(registry, accept) for accept in ("text/plain", _OPENMETRICS + "; version=1.0.0"))

    async def metrics(request: Request) -> Response:
        if metrics_for == "keys":
            who_calls(request, keys)
        return await (openmetrics if _OPENMETRICS in request.headers.get("Accept", "") else texts).response()

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_: Request) -> Response:
        ready = is_ready()
        return JSONResponse({"status": "serving" if ready else "not serving"}, 200 if ready else 503)

    pages: list[BaseRoute] = [Route("/healthz", healthz), Route("/readyz", readyz)]
    if metrics_for != "off":
        pages.append(Route("/metrics", metrics))
    return Starlette(routes=[*pages, *routes], exception_handlers=UNAUTHENTICATED)


class _Exposition:
    """All metrics in one format: callers have no say in its details, or each could ask for a page of their own."""

    def __init__(self, registry: CollectorRegistry, accept: str) -> None:
        encode, self._content_type = choose_encoder(accept)
        self._recent = Recent(partial(encode, registry))

    async def response(self) -> Response:
        return Response(await self._recent.get(), headers={"Content-Type": self._content_type})


class _Server(uvicorn.Server):
    """uvicorn's server, which wakes once a second, for its answers' date: uvicorn's loop wakes ten times as often."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take requests."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        """Wait until `stop`, and meanwhile have answers dated."""
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _SECOND_S)

    def stop(self) -> None:
        """Have it end, if it hasn't; called by another thread, once it has started."""
        self.should_exit = True
        with suppress(RuntimeError):  # it has ended: its loop is closed
            self._loop.call_soon_threadsafe(self._stopping.set)


class WebServer:
    """uvicorn on a socket that is bound already, in a daemon thread. `stop` closes the socket."""

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        settings: HttpSettings,
        certificates: Certificates | None,
        *,
        name: str = "bothends-http",
    ) -> None:
        """Make it; `name` is its thread's."""
        self.outbox = Outbox()
        config = uvicorn.Config(
            Counted(Paced(Closing(app)), self.outbox),
            log_config=None,
            loop="asyncio",  # not uvloop where it happens to be installed: this one was tested
            access_log=False,
            lifespan="off",
            ws="none",
            http=partial(  # type: ignore[arg-type]  # called like a class
                BoundedH11Protocol,
                most=settings.max_http_connections,
                max_wait_s=settings.caller_timeout_s,
                max_header_bytes=settings.max_header_bytes,
            ),
            timeout_keep_alive=settings.http_idle_s,
            timeout_graceful_shutdown=LAST_BYTES_S,
            server_header=False,
            backlog=_MOST_ACCEPTED,
            ssl_context_factory=None if certificates is None else lambda *_: certificates.context(),
        )
        self._listener = listener
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, name=name, daemon=True)

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
        self._listener.listen(WAITING)  # for asyncio it was fewer

    def stop(self) -> None:
        """Stop and wait for the thread."""
        self._server.stop()
        self._thread.join(timeout=5)
