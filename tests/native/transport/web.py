"""A transport with an HTTP listener, an application that echoes, and callers that say exactly what they say."""

import contextlib
import json
import select
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from http.client import HTTPResponse
from typing import Any, cast

from bothends_native.transport import FastPath, HttpRequest, Method

from tests.support.until import TIMEOUT_S, until

from .served import METHODS, Served, listening

EMBED, PROBE, OTHERS = "/v1/embeddings", "/healthz", "/embed"
WEB_METHODS = [
    *METHODS,
    Method(EMBED, is_http=True),
    Method(PROBE, is_http=True, is_metered=False),
    Method(OTHERS, is_http=True, words=1),
]
GET = b"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n"
JSON = [(b"content-type", b"application/json")]


class Web(Served):
    """A transport, whose application answers by `answering_requests`, or is the test."""

    path: FastPath
    """Of a method, where the test makes one."""

    def __init__(self, *listeners: socket.socket, methods: Sequence[Method] = WEB_METHODS, **options: Any) -> None:
        self.requests: list[HttpRequest] = []
        self.over: list[int] = []
        self._application: threading.Thread | None = None
        super().__init__(*listeners, methods=methods, http=[listening()], **options)

    def answering_requests(self) -> "Web":
        """Have each request answered with what came of it."""
        self._application = threading.Thread(target=self._apply)
        self._application.start()
        return self

    def has_requests(self) -> bool:
        """Say whether a request waits for the application, and leave it there."""
        return bool(select.select([self.transport.requests_descriptor()], [], [], 0)[0])

    def take_requests(self, count: int = 1) -> list[HttpRequest]:
        """Take so many requests, as an application does that answers none of them yet."""
        found: list[HttpRequest] = []

        def some() -> bool:
            select.select([self.transport.requests_descriptor()], [], [], 0.1)
            taken = self.transport.take_requests(count - len(found))
            assert taken is not None, "it has stopped"
            found.extend(taken.requests)
            self.over += taken.over
            return len(found) >= count

        until(some)
        return found

    def respond(self, request: HttpRequest, body: bytes = b"{}", status: int = 200) -> bool:
        return self.transport.respond(request.id, status, JSON, body)

    def stop(self, grace_s: float = 0) -> None:
        super().stop(grace_s)
        if self._application is not None:
            self._application.join(TIMEOUT_S)
            assert not self._application.is_alive()

    def _apply(self) -> None:
        descriptor = self.transport.requests_descriptor()
        while select.select([descriptor], [], [], TIMEOUT_S)[0]:
            if (taken := self.transport.take_requests()) is None:
                return
            self.over += taken.over
            for request in taken.requests:
                self.requests.append(request)
                self.respond(request, told(request))


def told(request: HttpRequest) -> bytes:
    """What an echo says of a request."""
    seen = {
        "verb": request.verb,
        "target": request.target.decode("latin-1"),
        "version": request.version,
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers],
        "body": request.body.decode("latin-1"),
        "is_whole": request.is_whole,
    }
    return json.dumps(seen).encode()


def post(path: str = "/page", body: bytes = b"", *lines: str, version: str = "1.1") -> bytes:
    """Write a request with its length."""
    head = [f"POST {path} HTTP/{version}", "Host: localhost", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode("latin-1") + body


class Wire:
    """One connection that says bytes and reads responses."""

    def __init__(
        self,
        port: int,
        *,
        source: str | None = None,
        context: ssl.SSLContext | None = None,
        receives: int | None = None,
    ) -> None:
        self.socket: socket.socket = socket.socket()
        if receives is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        if source is not None:
            self.socket.bind((source, 0))
        self.socket.settimeout(TIMEOUT_S)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # each piece is sent as it is said
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def say(self, *pieces: bytes) -> "Wire":
        for piece in pieces:
            self.socket.sendall(piece)
        return self

    def answer(self, verb: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """Read one response: status, headers and body."""
        response = HTTPResponse(cast("socket.socket", _Unbuffered(self.socket)), method=verb)
        response.begin()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()

    def is_closed(self) -> bool:
        """Wait for the end, before which nothing more may come."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


class _Unbuffered:
    """A socket of which HTTPResponse reads no more than one response: what comes after it is another's."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def makefile(self, *_: object, **__: object) -> Any:
        return _Bytewise(self._connection)


class _Bytewise:
    """A file that reads byte by byte up to a line's end."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.closed = False

    def readline(self, most: int = 65537) -> bytes:
        line = bytearray()
        while not line.endswith(b"\n") and len(line) < most and (byte := self._connection.recv(1)):
            line += byte
        return bytes(line)

    def read(self, size: int = -1) -> bytes:
        found = bytearray()
        while len(found) != size and (piece := self._connection.recv(size - len(found) if size >= 0 else 65536)):
            found += piece
        return bytes(found)

    def readinto(self, room: Any) -> int:
        found = self.read(len(room))
        room[: len(found)] = found
        return len(found)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


@contextlib.contextmanager
def web(**options: Any) -> Iterator[Web]:
    """A transport with its usual bounds, or others, whose application is the test."""
    served = Web(**options)
    try:
        yield served
    finally:
        served.stop()
