"""uvicorn's HTTP/1.1 protocol with bounds: how many connections there are and whose, and how long each may wait."""

import asyncio
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from time import monotonic
from typing import Any

import h11
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..sockets import network
from .parser import StrictH11

CLOSE = (b"connection", b"close")
NOSNIFF = (b"x-content-type-options", b"nosniff")
"""Header by which no browser takes an answer for a page or a script that doesn't say that it is one."""
_PLAIN_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_FOR_PROBES = 8
"""Connections beyond the most that there may be, each for one probe: whoever holds all others keeps none out."""
PROBES = ("/healthz", "/readyz")
_LINGER_S = 1.0
"""Seconds that a caller has to read why its request was refused while it still sends it."""
_MOST_DROPPED_BYTES = 1 << 20
"""Bytes of a refused request that are read in that time, so that its caller comes to read the answer."""


def _still_sends(conn: h11.Connection) -> bool:
    """Return True while a request hasn't come whole, or may not have: of a malformed one nobody knows the end."""
    return conn.their_state in (h11.SEND_BODY, h11.ERROR)


class _PatientTransport:
    """asyncio's transport, whose `close` lets a caller that still sends read what was said: else it would be reset."""

    def __init__(self, transport: asyncio.Transport, still_sends: Callable[[], bool]) -> None:
        self._transport = transport
        self._still_sends = still_sends
        self._dropped = 0
        self.is_lingering = False
        """True once what comes is of no use."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Return True if nothing more may be said."""
        return self.is_lingering or self._transport.is_closing()

    def close(self) -> None:
        """Close once all was said, and after a while where the caller has more to send."""
        if self.is_lingering or self._transport.is_closing() or not self._still_sends():
            self._transport.close()
            return
        self.is_lingering = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()
        asyncio.get_running_loop().call_later(_LINGER_S, self._transport.abort)

    def drop(self, size: int) -> None:
        """Take note of bytes that came while it lingers."""
        self._dropped += size
        if self._dropped > _MOST_DROPPED_BYTES:
            self._transport.pause_reading()


class BoundedH11Protocol(H11Protocol):
    """One connection. Where there are too many, one of the network that has the most gives way."""

    def __init__(self, *arguments: Any, most: int, max_wait_s: float, max_header_bytes: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = self._parser = StrictH11(max_header_bytes)
        # Each request's scope has it as its `state`; else in a circle, which would wait for the garbage collector.
        self.app_state = {**self.app_state, "connection": weakref.proxy(self)}
        self._most = most
        self._max_wait_s = max_wait_s
        self._timeout: asyncio.TimerHandle | None = None
        self.used_at = monotonic()
        """Time of `time.monotonic` at which it began, or a request of it was last answered."""
        self.is_extra = False
        """True for one beyond the most that there may be, which is there for a probe alone."""

    @property
    def still_sends(self) -> bool:
        """True while the body of its request hasn't come whole."""
        return _still_sends(self.conn)

    @property
    def is_busy(self) -> bool:
        """True while a request that has come whole is answered, and the answer is read."""
        is_answered = self.cycle is None or self.cycle.response_complete
        return not is_answered and not self.still_sends and not self.flow.write_paused

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, or have another connection end, or end this one."""
        self._patient = _PatientTransport(transport, partial(_still_sends, self.conn))
        super().connection_made(self._patient)  # type: ignore[arg-type]  # it does all that a transport does
        self.network = network(self.client[0] if self.client else "")
        self._make_way()
        if not self.transport.is_closing():
            self._wait(self._max_wait_s)

    def _make_way(self) -> None:
        """Have another give its place to this one; without one, this one is there for a probe alone."""
        others: list[Any] = [one for one in self.connections if one is not self]
        regular = [one for one in others if not one.is_extra]
        if len(regular) < self._most:
            return
        if (leaver := _leaver(regular, self)) is not None:
            leaver.give_way()
            return
        self.is_extra = True
        extra = [one for one in others if one.is_extra]
        if len(extra) >= _FOR_PROBES:
            min(extra, key=lambda one: (one.is_busy, one.used_at)).abort()

    def give_way(self) -> None:
        """End, so that another may come; a caller that waits for an answer is told so, if that hasn't begun."""
        self.connections.discard(self)
        if self.is_busy and self.conn.our_state is h11.SEND_RESPONSE:
            self._end_with(503, "this address has more connections than others, who need one; come again")
        else:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read, unless nothing more is wanted."""
        if self._patient.is_lingering:
            self._patient.drop(len(data))
        else:
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Refuse a malformed request, in place of what answers it, if that hasn't begun."""
        self._end_with(*(self._parser.refused or (400, msg)))

    def _end_with(self, status: int, reason: str) -> None:
        """Say this in place of what answers the request, if that hasn't begun, and end."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # else what it says would be out of order, and a traceback in the log
            self.cycle.message_event.set()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.abort()
            return
        content = reason.encode()
        size = (b"content-length", b"%d" % len(content))
        for event in (
            h11.Response(
                status_code=status, headers=[_PLAIN_TEXT, NOSNIFF, size, CLOSE], reason=HTTPStatus(status).phrase
            ),
            h11.Data(data=content),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event))
        self.transport.close()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self.used_at = monotonic()
        self._wait(self.timeout_keep_alive + self._max_wait_s)
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Wait for a caller that reads slowly."""
        self._wait(self._max_wait_s)
        super().pause_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._timeout is not None:
            self._timeout.cancel()
        super().connection_lost(exc)

    def abort(self) -> None:
        """End at once, whatever was being said."""
        self.connections.discard(self)
        self.transport.abort()

    def _wait(self, at_most_s: float) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
        self._timeout = self.loop.call_later(at_most_s, self._give_up)

    def _give_up(self) -> None:
        """Close, unless a request is in progress and its answer is being read; HttpCall bounds the time of its body."""
        if self.cycle is None or self.cycle.response_complete or self.flow.write_paused:
            self.abort()


def _leaver(others: Sequence[Any], newcomer: BoundedH11Protocol) -> BoundedH11Protocol | None:
    """Choose who gives way to `newcomer`: of the network that has the most, and no less than its own, the idlest.

    One whose request is being answered does only where all of its network's are, and where that has twice as many.
    """
    counts = Counter(connection.network for connection in (*others, newcomer))
    own, most = counts[newcomer.network], max(counts.values())

    def may_leave(one: Any) -> bool:
        is_greediest = counts[one.network] == most >= 2 * own
        return counts[one.network] >= own - 1 and (not one.is_busy or is_greediest)

    def order(one: Any) -> tuple[int, bool, float]:
        return counts[one.network], not one.is_busy, -one.used_at

    return max(filter(may_leave, others), key=order, default=None)


_TOO_MANY = PlainTextResponse("there are too many connections; come again", 503, {"Retry-After": "1"})
"""Answer on a connection that is there for a probe."""


class Closing:
    """ASGI application whose answers say that they are what they say, and, amid a body, that the connection ends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        connection = scope["state"]["connection"]

        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = (NOSNIFF, CLOSE) if connection.still_sends or connection.is_extra else (NOSNIFF,)
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        is_refused = connection.is_extra and scope["path"] not in PROBES
        await (_TOO_MANY if is_refused else self._app)(scope, receive, closing)
