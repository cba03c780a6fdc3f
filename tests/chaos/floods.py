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
_ANSWER_S = 10.0


def post(*lines: str, path: str = "/v1/embeddings") -> bytes:
    """Write the head of a POST of JSON."""
    head = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *lines, "", ""]
    return "\r\n".join(head).encode()


def sentences(count: int, *, words: int = 1) -> bytes:
    """Write a whole POST of so many sentences."""
    body = json.dumps({"model": "english", "input": ["dragon " * words] * count}).encode()
    return post(f"Content-Length: {len(body)}") + body


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
