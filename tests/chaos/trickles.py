"""Callers over HTTP who say one byte at a time, for as long as they are let."""

import itertools
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from hyperframe.frame import DataFrame

from .floods import Address, post
from .hostile import begun, block, headers
from .hostile_http import CALL

_EVERY_S = 0.1
_TIMEOUT_S = 60.0
_TOLD = b"\x03408"
"""Status that ends a stream of HTTP/2, as HPACK writes it."""
Trickle = Callable[[], tuple[bytes, Iterator[bytes]]]
"""What is said at once, and the pieces that follow one by one without end."""


def nothing() -> tuple[bytes, Iterator[bytes]]:
    """Connect, and say nothing."""
    return b"", itertools.repeat(b"")


def head() -> tuple[bytes, Iterator[bytes]]:
    """Send a head that never ends."""
    return post()[:-2] + b"X: ", itertools.repeat(b"y")


def lines() -> tuple[bytes, Iterator[bytes]]:
    """Send headers that never end, a whole line each time."""
    return post()[:-2], itertools.repeat(b"X: y\r\n")


def body() -> tuple[bytes, Iterator[bytes]]:
    """Send a body that takes hours."""
    return post("Content-Length: 1000000"), itertools.repeat(b" ")


def chunks() -> tuple[bytes, Iterator[bytes]]:
    """Send a body in chunks of one byte."""
    return post("Transfer-Encoding: chunked"), itertools.repeat(b"1\r\n \r\n")


def chunk_extension() -> tuple[bytes, Iterator[bytes]]:
    """Send a chunk's extension that never ends."""
    return post("Transfer-Encoding: chunked") + b"1;x=", itertools.repeat(b"y")


def trailers() -> tuple[bytes, Iterator[bytes]]:
    """Send a body, and trailers that never end."""
    return post("Transfer-Encoding: chunked") + b"0\r\n", itertools.repeat(b"X: y\r\n")


def http2() -> tuple[bytes, Iterator[bytes]]:
    """Send a body over HTTP/2, in frames of one byte; the stream ends by a 408, and the connection when it is idle."""
    return begun(headers(1, block(CALL))), itertools.repeat(DataFrame(1, b" ").serialize())


def http2_preface() -> tuple[bytes, Iterator[bytes]]:
    """Say that it is HTTP/2, slowly; the last byte never comes."""
    return b"PRI * HTTP/2.0\r\n\r\nSM\r", itertools.repeat(b"")


TRICKLES: list[Trickle] = [nothing, head, lines, body, chunks, chunk_extension, trailers, http2, http2_preface]


@contextmanager
def trickling(server: Address, kinds: list[Trickle], *, connections: int) -> Iterator[Callable[[], list[str]]]:
    """Have so many connections of each kind trickle until the block ends; what is yielded names those that are heard.

    They come from an address of their own, so that others have their own share of connections.
    """
    over = threading.Event()
    held = [(kind.__name__, *_connected(server, kind)) for kind in kinds for _ in range(connections)]
    is_open = [True] * len(held)

    def say() -> None:
        while not over.wait(_EVERY_S):
            for index, (_, connection, pieces) in enumerate(held):
                is_open[index] = is_open[index] and _says(connection, next(pieces))

    saying = threading.Thread(target=say)
    saying.start()
    try:
        yield lambda: [name for (name, _, _), still in zip(held, is_open, strict=True) if still]
    finally:
        over.set()
        saying.join()
        for _, connection, _ in held:
            connection.close()


def _connected(server: Address, kind: Trickle) -> tuple[socket.socket, Iterator[bytes]]:
    connection = socket.create_connection(server, timeout=_TIMEOUT_S, source_address=("127.0.0.3", 0))
    first, pieces = kind()
    with suppress(OSError):  # it was let in, and had to give way
        connection.sendall(first)
    return connection, pieces


def _says(connection: socket.socket, piece: bytes) -> bool:
    """Send a piece and read what has come; returns whether the server still waits for more."""
    try:
        if piece:
            connection.sendall(piece)
        while select.select([connection], [], [], 0)[0]:
            told = connection.recv(65536)
            if not told or _TOLD in told:
                return False
    except OSError:
        return False
    return True
