"""Serves ASGI applications over the native transport's HTTP requests, with an event loop in a thread."""

import asyncio
import logging
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from starlette.types import ASGIApp, Scope

from ...observe.unforeseen import error_site
from .asgi import Exchange, scope_of
from .contract import HttpTransport
from .measured import Measured

_log = logging.getLogger(__name__)
_ENDS_S = 5.0
"""Seconds that a stopping server gives its thread to end."""
_BUG = (b"content-type", b"text/plain; charset=utf-8"), b"Internal Server Error"
"""A header, and the content, of the answer to a request that an application leaves without one."""


class NativeWebServer:
    """ASGI applications, one for each listener of a transport, in a daemon thread."""

    def __init__(self, transport: HttpTransport, applications: Mapping[int, ASGIApp]) -> None:
        """Serve `applications`, by the places of their listeners."""
        self._transport = transport
        self._applications = applications
        self._open: dict[int, tuple[Exchange, asyncio.Task[None]]] = {}
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), name="bothends-http", daemon=True)

    def start(self) -> None:
        """Start to serve; returns once requests are accepted."""
        self._thread.start()
        self._started.wait()

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return int(self._transport.figures()["http_connections"])

    def stop(self, grace_s: float = 0) -> bool:  # noqa: ARG002  the transport has waited before
        """End every open request, and the thread."""
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_ENDS_S)
        return True

    async def _live(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        descriptor = self._transport.requests_descriptor()
        self._loop.add_reader(descriptor, self._take)
        self._started.set()
        await self._stopping.wait()
        self._loop.remove_reader(descriptor)
        tasks = [task for _, task in self._open.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self) -> None:
        """Begin the requests that have come, and tell those whose callers have left."""
        began = time.thread_time()
        taken = self._transport.take_requests()
        if taken is None:
            self._stopping.set()
            return
        for request in taken.requests:
            exchange = Exchange(request, self._transport.respond, self._transport.charge)
            answering = _answer(self._applications[request.listener], scope_of(request, exchange), exchange)
            task = self._loop.create_task(Measured(answering, exchange.times, exchange.charge))
            self._open[request.id] = exchange, task
            task.add_done_callback(partial(self._forget, request.id))
            exchange.charge((now := time.thread_time()) - began)
            began = now
        for request_id in taken.over:
            if (found := self._open.get(request_id)) is not None:
                found[0].leave()

    def _forget(self, request_id: int, _: object) -> None:
        del self._open[request_id]


async def _answer(application: ASGIApp, scope: Scope, exchange: Exchange) -> None:
    """Have a request answered; where the application leaves it without an answer, by word that this is a bug."""
    try:
        await application(scope, exchange.receive, exchange.send)
    except Exception as error:  # a bug of ours: all others are still to be answered
        _log.error("an HTTP request couldn't be answered: %s", error_site(error))
    header, content = _BUG
    exchange.respond(500, (header,), content)
