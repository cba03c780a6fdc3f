"""Callers over HTTP/1.1 who want nothing but to be a burden: what they send."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

Address = tuple[str, int]
_ANSWER_S = 10.0


def post(*lines: str, path: str = "/v1/embeddings") -> bytes:
    """Write the head of a POST of JSON."""
    head = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *lines, "", ""]
    return "\r\n".join(head).encode()


def sentences(count: int, *, words: int = 1) -> bytes:
    """Write a whole POST of so many sentences."""
    body = json.dumps({"model": "english", "input": ["dragon " * words] * count}).encode()
    return post(f"Content-Length: {len(body)}") + body


def nothing() -> bytes:
    """Write a whole POST of 1.4 million empty lists."""
    body = b'{"model":"english","input":[' + b"[]," * 1_390_000 + b"[]]}"
    return post(f"Content-Length: {len(body)}") + body


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
