"""ASGI middleware that bounds the answers which callers don't read."""

from dataclasses import dataclass
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..inbound import Outbox
from .connection import BoundedH11Protocol

_PIECE_BYTES = 1 << 18
"""Bytes of an answer that are handed on at once: its caller must take them before it gets the next."""
_MOST_UNREAD_BYTES = 128 << 20
"""Bytes of all answers that aren't read yet, each counted whole until its last piece is on its way. A single one may
be larger."""


@dataclass(eq=False, slots=True)
class _Unread:
    """An answer of several pieces, some of which aren't on their way."""

    connection: BoundedH11Protocol
    bytes: int
    moved_at: float
    """Time of `time.monotonic` at which a piece was last taken."""


class Paced:
    """Application whose answers go out in pieces. Where too much is unread, the slowest to read is cut off."""

    def __init__(self, app: ASGIApp, *, most_bytes: int = _MOST_UNREAD_BYTES) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._unread: set[_Unread] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""

        async def in_pieces(message: Message) -> None:
            body = message.get("body", b"")
            if len(body) <= _PIECE_BYTES:
                await send(message)
            else:
                await self._send(body, scope["state"]["connection"], message, send)

        await self._app(scope, receive, in_pieces)

    async def _send(self, body: bytes, connection: BoundedH11Protocol, message: Message, send: Send) -> None:
        unread = _Unread(connection, len(body), monotonic())
        self._unread.add(unread)
        try:
            self._shed()
            for start in range(0, len(body), _PIECE_BYTES):
                piece = body[start : start + _PIECE_BYTES]
                is_last = start + len(piece) == len(body)
                await send({**message, "body": piece, "more_body": message.get("more_body", False) or not is_last})
                unread.moved_at = monotonic()
        finally:
            self._unread.discard(unread)

    def _shed(self) -> None:
        while len(self._unread) > 1 and sum(unread.bytes for unread in self._unread) > self._most_bytes:
            slowest = min(self._unread, key=lambda unread: unread.moved_at)
            self._unread.discard(slowest)
            slowest.connection.abort()


class Counted:
    """Application whose answers are counted as on their way until it is done with them."""

    def __init__(self, app: ASGIApp, outbox: Outbox) -> None:
        self._app = app
        self._outbox = outbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        self._outbox.put()
        try:
            await self._app(scope, receive, send)
        finally:
            self._outbox.sent(None)
