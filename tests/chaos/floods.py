"""Callers over HTTP/1.1 who want nothing but to be a burden: what they send, and how much of it is taken.

Each flood can run in a process of its own (storms.py's `beside`).
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import BinaryIO, cast

Address = tuple[str, int]
Taken = tuple[int, int]
"""Number of requests, and of the bytes that were sent for them."""
_PIECE = b"1\r\nx\r\n" * 10_000
_GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"
_ANSWER_S = 10.0


def post(*lines: str, path: str = "/v1/embeddings") -> bytes:
    """Write the head of a POST of JSON."""
    head = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *lines, "", ""]
    return "\r\n".join(head).encode()


def sentences(count: int, *, words: int = 1) -> bytes:
    """Write a whole POST of so many sentences."""
    body = json.dumps({"model": "english", "input": ["dragon " * words] * count}).encode()
    return post(f"Content-Length: {len(body)}") + body


def chunks(server: Address, *, seconds: float, connections: int) -> Taken:
    """Send bodies of 1-byte chunks for so long, each until it is cut off; returns how many, and their bytes."""

    def one(end: float) -> Iterator[Taken]:
        with socket.create_connection(server, timeout=_ANSWER_S) as connection:
            connection.sendall(head := post("Transfer-Encoding: chunked"))
            yield 1, len(head)
            while time.monotonic() < end:
                yield 0, connection.send(_PIECE)

    return _again(one, seconds, connections)


def scrapes(server: Address, *, seconds: float, connections: int, path: str = "/metrics") -> Taken:
    """Ask for a page for so long, and return how often it was answered, and the bytes that were sent for it."""
    return _requests(server, _GET % path.encode(), seconds, connections)


def explanations(server: Address, *, seconds: float, connections: int) -> Taken:
    """Have a sentence of 128 tokens explained on each connection, again and again, at the cost of 255 sentences."""
    body = json.dumps({"sentence": "a " * 128}).encode()
    request = post(f"Content-Length: {len(body)}", path="/explain") + body
    return _requests(server, request, seconds, connections)


def lists(server: Address, *, seconds: float, connections: int) -> Taken:
    """Ask for lists of 1,024 sentences on each connection, again and again."""
    return _requests(server, sentences(1024), seconds, connections)


def empty_lists(server: Address, *, seconds: float, connections: int) -> Taken:
    """Send four megabytes of empty lists on each connection, again and again."""
    return _requests(server, nothing(), seconds, connections)


def nothing() -> bytes:
    """Write a whole POST of 1.4 million empty lists."""
    body = b'{"model":"english","input":[' + b"[]," * 1_390_000 + b"[]]}"
    return post(f"Content-Length: {len(body)}") + body


def _requests(server: Address, request: bytes, seconds: float, connections: int) -> Taken:
    """Send a request on each connection, and read its answer, again and again."""

    def one(end: float) -> Iterator[Taken]:
        with socket.create_connection(server, timeout=_ANSWER_S) as connection, connection.makefile("rb") as lines:
            while time.monotonic() < end:
                connection.sendall(request)
                yield 0, len(request)
                yield int(_has_answered(cast("BinaryIO", lines))), 0

    return _again(one, seconds, connections)


def _has_answered(lines: BinaryIO) -> bool:
    """Read one answer. Raises ConnectionError where there is none."""
    status, size = lines.readline(), 0
    if not status:
        raise ConnectionError
    while (line := lines.readline()) not in (b"\r\n", b""):
        if line.lower().startswith(b"content-length:"):
            size = int(line.partition(b":")[2])
    lines.read(size)
    return status.startswith(b"HTTP/1.1 200")


@contextmanager
def unread(server: Address, request: bytes, *, connections: int) -> Iterator[list[socket.socket]]:
    """Send a request on each connection, and read nothing of the answers."""
    with ExitStack() as stack:
        held = []
        for _ in range(connections):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(_ANSWER_S)
            connection.connect(server)
            held.append(connection)
        for connection in held:
            with suppress(OSError):
                connection.sendall(request)
        yield held


class Holders:
    """Connections that are kept by one small request every few seconds. One that is closed is opened anew."""

    def __init__(self, server: Address, *, connections: int, every_s: float, source: str = "127.0.0.1") -> None:
        self._server = server
        self._every_s = every_s
        self._source = source
        self._stop = threading.Event()
        self.held: list[socket.socket | None] = [None] * connections
        self._thread = threading.Thread(target=self._hold)
        self.sent = 0
        """Bytes of the requests."""

    def __enter__(self) -> "Holders":
        for place in range(len(self.held)):
            self._ask(place)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for connection in self.held:
            if connection is not None:
                connection.close()

    def _hold(self) -> None:
        while not self._stop.wait(self._every_s):
            for place in range(len(self.held)):
                self._ask(place)

    def _ask(self, place: int) -> None:
        try:
            if (connection := self.held[place]) is None:
                connection = socket.create_connection(self._server, 1.0, source_address=(self._source, 0))
                self.held[place] = connection
            connection.sendall(request := _GET % b"/healthz")
            self.sent += len(request)
            if not connection.recv(65536):
                raise ConnectionError
        except OSError:
            if (broken := self.held[place]) is not None:
                broken.close()
            self.held[place] = None


def _again(one: Callable[[float], Iterator[Taken]], seconds: float, connections: int) -> Taken:
    """Have so many threads do it again and again until the time is over; returns the sums of what they count."""
    end, done = time.monotonic() + seconds, [(0, 0)] * connections

    def work(place: int) -> None:
        while time.monotonic() < end:
            with suppress(OSError):  # cut off, or not let in
                for count, size in one(end):
                    done[place] = done[place][0] + count, done[place][1] + size

    threads = [threading.Thread(target=partial(work, place)) for place in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(count for count, _ in done), sum(size for _, size in done)
