"""Runs uvicorn in its own thread, to serve HTTP where the native transport isn't available."""

import math
import socket
import threading
import time

import uvicorn
from starlette.types import ASGIApp

from ...errors import StartupError
from ...settings import HttpSettings
from ..sockets import WAITING
from ..tls import Certificates
from .origin_form import OriginForm
from .uvicorn_protocol import AnsweringProtocol

NOSNIFF = ("x-content-type-options", "nosniff")
"""Header by which no browser takes an answer for a page or a script that doesn't say that it is one."""
_MAX_ACCEPTED = 16
"""Connections that asyncio accepts before others have their turn. Where file descriptors run out, it tries so often at
once, and again in a second."""
_ENDS_S = 5.0
"""Seconds that a stopping server gives its thread to end, once it was to have ended."""


class UvicornServer:
    """uvicorn on a bound socket, in a daemon thread. `stop` closes the socket."""

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
        self._config = uvicorn.Config(
            OriginForm(app),
            log_config=None,
            loop="asyncio",  # not uvloop where it happens to be installed: this one was tested
            http=AnsweringProtocol,
            access_log=False,
            lifespan="off",
            ws="none",
            limit_concurrency=settings.max_uvicorn_connections + 1,  # from so many on uvicorn refuses
            h11_max_incomplete_event_size=settings.max_header_bytes,
            timeout_keep_alive=settings.http_idle_s,
            server_header=False,
            headers=[NOSNIFF],
            backlog=_MAX_ACCEPTED,
            ssl_context_factory=None if certificates is None else lambda *_: certificates.context(),
        )
        self._listener = listener
        self._server = uvicorn.Server(self._config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, name=name, daemon=True)

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return len(self._server.server_state.connections)

    def start(self) -> None:
        """Start to serve; returns once requests are accepted. Raises StartupError if uvicorn ends first."""
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.002)  # uvicorn offers a flag, no event
        if not self._server.started:
            raise StartupError("the HTTP server ended before it answered")
        self._listener.listen(WAITING)  # for asyncio it was fewer

    def stop(self, grace_s: float) -> bool:
        """Stop, after at most `grace_s` seconds for answers in progress; returns True if all were sent."""
        self._config.timeout_graceful_shutdown = math.ceil(grace_s)
        self._server.should_exit = True
        self._thread.join(grace_s + _ENDS_S)
        return not self.connections
