"""Adapts one request of an HTTP transport, and its response, to ASGI: a scope, `receive` and `send`."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from starlette.types import Message, Scope

from ..caller import Caller
from ..thread_times import CHARGED_S, ThreadTimes
from .contract import ACCOUNT, ADMITTED, CALLER, Account, Admission, Headers, HttpRequest

_TRANSPORTS = frozenset((b"content-length", b"transfer-encoding", b"date", b"connection", b"x-content-type-options"))
"""Headers that the transport writes by itself."""
Respond = Callable[[int, int, Headers, bytes, float], object]
"""Function that sends a response: `HttpTransport.respond`."""


def scope_of(request: HttpRequest, account: Account) -> Scope:
    """Make the ASGI scope of a request, for which `account` counts what is spent.

    Its extensions hold the `Admission` if the transport has admitted the request.
    """
    path, _, query = request.target.partition(b"?")
    extensions: dict[str, Any] = {CALLER: Caller(request.network, request.caller), ACCOUNT: account}
    if request.method is not None:
        extensions[ADMITTED] = Admission(request.arrived, request.deadline, request.key or None)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": request.version,
        "method": request.verb,
        "scheme": "https" if request.is_encrypted else "http",
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": request.headers,
        "client": request.peer,
        "server": None,
        "extensions": extensions,
    }


class Exchange:
    """Exchange of a request and its response, until the response is sent or the caller has left."""

    __slots__ = (
        "_charge",
        "_content",
        "_headers",
        "_is_whole",
        "_over",
        "_respond",
        "_spent",
        "_status",
        "_unread",
        "id",
        "times",
    )

    def __init__(self, request: HttpRequest, respond: Respond, charge: Callable[[int, float], object]) -> None:
        """Answer `request` by `respond`. `charge` counts seconds of a core against its caller's turns."""
        self.times = ThreadTimes()
        """What the event loop's thread uses for it."""
        self._charge = charge
        self._spent = 0.0
        self.id, self._is_whole = request.id, request.is_whole
        self._unread: HttpRequest | None = request  # let go of once it is read: it may be long
        self._respond = respond
        self._over = asyncio.Event()
        self._status = 0
        self._headers: Headers = ()
        self._content: list[bytes] = []

    @property
    def is_over(self) -> bool:
        """True once the response is sent or the caller has left."""
        return self._over.is_set()

    def leave(self) -> None:
        """Mark the caller as gone."""
        self._over.set()

    def charge(self, seconds: float) -> None:
        """Count `seconds` of a core against the caller's turns, unless the request is over."""
        self._spent += seconds
        if self._spent > CHARGED_S and not self.is_over:
            seconds, self._spent = self._spent, 0.0
            self._charge(self.id, seconds)

    def take_spent(self) -> float:
        """Return the seconds of a core that nobody was charged with yet, for the caller who charges them."""
        seconds, self._spent = self._spent + self.times.take(), 0.0
        return seconds

    async def receive(self) -> Message:
        """Return the body, and after it a disconnect message.

        Raises TimeoutError if the rest of the body didn't arrive.
        """
        unread, self._unread = self._unread, None
        if unread is not None:
            return {"type": "http.request", "body": unread.body, "more_body": not self._is_whole}
        if not self._is_whole and not self.is_over:
            raise TimeoutError
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Collect the response, and send it once it is complete."""
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], message.get("headers", ())
            return
        self._content.append(message.get("body", b""))
        if not message.get("more_body", False):
            self.respond(self._status, self._headers, b"".join(self._content))

    def respond(self, status: int, headers: Headers, content: bytes) -> None:
        """Send a complete response, with HTTP's `status` and these headers. Does nothing if one was sent or the caller
        has left.
        """
        if self.is_over:
            return
        self._over.set()
        kept = [(name, value) for name, value in headers if name not in _TRANSPORTS]
        self._respond(self.id, status, kept, content, self.take_spent())
