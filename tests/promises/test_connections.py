"""Connections: their number, their age and their manners, at each limit and one past it."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPResponse, RemoteDisconnected
from typing import Any

import grpc
import pytest

from bothends import Client
from bothends.model.bundle import Bundle
from bothends.server.server import Server
from tests.native.transport.raw import Raw
from tests.support.doors import code_of, connected, embed, serving
from tests.support.streams import Stream, request
from tests.support.transports import native_alone
from tests.support.until import TIMEOUT_S

SHORT_S = 0.6


@pytest.fixture(scope="module")
def small(toy_bundle: Bundle) -> Iterator[Server]:
    """A server whose every limit is near."""
    with serving(
        toy_bundle,
        max_connections=3,
        max_uvicorn_connections=3,
        max_header_bytes=4096,
    ) as server:
        yield server


@pytest.fixture(scope="module")
def hasty(toy_bundle: Bundle) -> Iterator[Server]:
    """A server that gives an idle connection little time."""
    with serving(toy_bundle, http_idle_s=1) as server:
        yield server


def test_connections(small: Server) -> None:
    """One connection past the limit is closed; it gets in when another leaves."""
    with ExitStack() as stack:
        channels = [stack.enter_context(connected(small)) for _ in range(3)]
        streams = [stack.enter_context(Stream(channel)) for channel in channels]  # one at rest would give way
        for stream in streams:
            stream.send(request("a"))
            stream.receive()
        extra = stack.enter_context(connected(small))
        assert code_of(lambda: embed(extra, "a")) == grpc.StatusCode.UNAVAILABLE
        for channel in channels:
            embed(channel, "a")
        channels[0].close()
        grpc.channel_ready_future(extra).result(TIMEOUT_S)
        embed(extra, "a")


@native_alone
def test_bytes_of_http_headers(small: Server) -> None:
    """Names and values count; a large header is refused alike whether it comes at once or in pieces.

    The network may split what was sent at once: who still sends is told too, and not reset.
    """
    for size, status in ((3900, 200), (4096, 431), (100_000, 431), (900_000, 431)):
        with http(small) as connection:
            assert ask(connection, b"X: " + b"y" * size + b"\r\n") == status


def test_an_idle_http_connection_is_closed(hasty: Server) -> None:
    started = time.monotonic()
    with http(hasty) as connection:
        ask(connection)
        read_to_end(connection)
    assert time.monotonic() - started >= 0.9


@pytest.mark.parametrize("setting", ["idle_s", "age_s"])
def test_an_idle_or_old_connection_gets_a_goaway(toy_bundle: Bundle, setting: str) -> None:
    settings: Any = {setting: SHORT_S}
    with serving(toy_bundle, **settings) as server:
        started = time.monotonic()
        with Raw(server.port) as raw:
            raw.wait(lambda: raw.goaway is not None)
        assert time.monotonic() - started >= 0.8 * SHORT_S  # gRPC spreads ages by a tenth


def test_callers_do_not_notice_that_a_connection_grew_old(toy_bundle: Bundle) -> None:
    """Calls through three generations of connections never fail.

    gRPC gives up a call that waits inside it when the notice comes: its own retries, or our client's, send it again.
    """
    age_s = 0.25
    with serving(toy_bundle, age_s=age_s) as server, Client(f"127.0.0.1:{server.port}") as client:
        end = time.monotonic() + 3.5 * age_s
        while time.monotonic() < end:
            client.embed(["a"])


def test_a_caller_that_pings_too_often_is_disconnected(toy_bundle: Bundle) -> None:
    """The first ping and two strikes are answered, also without calls; the next is too much."""
    with serving(toy_bundle, min_ping_s=30) as server, Raw(server.port) as raw:
        for number in range(3):
            raw.http.ping(bytes(8))
            raw.flush()
            raw.wait(lambda: raw.pings == number + 1)  # noqa: B023  called here
        raw.http.ping(b"too much")
        raw.flush()
        raw.drain()
        assert raw.goaway is not None
        assert raw.goaway[1] == b"too_many_pings"


def test_silent_peers_are_asked_whether_they_live(toy_bundle: Bundle) -> None:
    with serving(toy_bundle, keepalive_s=0.2) as server, Raw(server.port) as raw:
        raw.wait(lambda: raw.pinged)


def http(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.http_port), TIMEOUT_S)


def ask(connection: socket.socket, headers: bytes = b"") -> int | None:
    """Send a GET; return the status of the answer, or None if the connection ends."""
    try:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n")
        answer = HTTPResponse(connection)
        answer.begin()
        answer.read()
    except (ConnectionResetError, BrokenPipeError, RemoteDisconnected):
        return None
    return answer.status


def read_to_end(connection: socket.socket) -> None:
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
