"""The HTTP side: /metrics for Prometheus, /healthz and /readyz for whoever supervises. Runs in a thread of its own."""

import socket
import threading
import time
from collections.abc import Callable

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .errors import StartupError


def application(registry: CollectorRegistry, is_ready: Callable[[], bool]) -> Starlette:
    """The ASGI application over a server's metrics and readiness."""

    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(registry), headers={"Content-Type": content_type})

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_: Request) -> Response:
        ready = is_ready()
        return JSONResponse({"status": "serving" if ready else "not serving"}, 200 if ready else 503)

    return Starlette(routes=[Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)])


class WebServer:
    """uvicorn on a socket that is bound already, in a daemon thread."""

    def __init__(self, app: Starlette, listener: socket.socket) -> None:
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener.dup()]}, name="bothends-http", daemon=True
        )

    def start(self) -> None:
        """Serve; returns once requests are taken. Raises StartupError if that can't be."""
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.002)  # uvicorn offers a flag, no event
        if not self._server.started:
            raise StartupError("the HTTP server ended before it answered")

    def stop(self) -> None:
        """Stop and wait for the thread."""
        self._server.should_exit = True
        self._thread.join(timeout=5)
