"""Requests that are read in one way only: what proxies may read in another is refused, and the connection ends."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from bothends.model.bundle import Bundle
from bothends.server.server import Server
from tests.support.doors import TIMEOUT_S, serving
from tests.support.https import answer_on
from tests.support.transports import native_alone

pytestmark = native_alone
GET = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
POST = "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
NEXT = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""Request that a proxy takes for the body of the one before it."""


@pytest.fixture(scope="module")
def asked(toy_bundle: Bundle) -> Iterator[Server]:
    with serving(toy_bundle) as server:
        yield server


def said(server: Server, *pieces: bytes) -> tuple[int, str, bytes]:
    """Return status and body of the answer to what is sent, and what comes after it until the connection ends."""
    with closing(socket.create_connection(("127.0.0.1", server.http_port), TIMEOUT_S)) as connection:
        for piece in pieces:
            connection.sendall(piece)
        status, told = answer_on(connection)
        return status, told, connection.recv(1)


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        (POST + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + NEXT, 400),
        (POST + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + NEXT, 400),
        (GET + "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", b"0\r\n\r\n" + NEXT, 400),
        (POST.replace("1.1", "1.0") + "Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", 400),
        (GET + "X: a\r\n b\r\n", NEXT, 400),
        (GET + "X: a\n\tb\r\n", NEXT, 400),
        (GET + "X:\r\n  b\r\n", NEXT, 400),
        (GET.replace("1.1", "9.9"), NEXT, 505),
        (GET.replace("1.1", "2.0"), NEXT, 505),
        (GET.replace("1.1", "0.9"), NEXT, 505),
    ],
)
def test_what_may_be_read_in_two_ways_is_refused(asked: Server, head: str, body: bytes, status: int) -> None:
    found = said(asked, head.encode() + b"\r\n" + body)
    assert (found[0], found[2]) == (status, b"")


def test_a_fold_is_seen_wherever_its_bytes_are_split(asked: Server) -> None:
    """Each byte comes by itself, which is read before the next one is sent, or isn't."""
    content = (GET + "X: a\r\n b\r\n\r\n").encode()
    assert said(asked, *(content[place : place + 1] for place in range(len(content))))[0] == 400


@pytest.mark.parametrize("body", [b" \n [1]", b"\n \n\t{}"])
def test_a_body_may_begin_with_space(asked: Server, body: bytes) -> None:
    """Lines after the head are no headers."""
    head = POST + f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    status, told, _ = said(asked, head.encode() + body)
    assert (status, "second line" in told) == (400, False)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_versions_that_are_spoken(asked: Server, version: str) -> None:
    head = GET.replace("1.1", version) + "Connection: close\r\n\r\n"
    assert said(asked, head.encode())[0] == 200
