"""Ends of HTTP/1.1's connections: callers that leave, are slow, idle or refused amid their requests."""

import socket
import threading

import pytest

from tests.support.until import TIMEOUT_S, until

from .web import EMBED, GET, Wire, post, web


def test_a_caller_that_sends_no_more_is_answered_within_a_second() -> None:
    """Whoever has not been answered by then counts as gone, and the application is told."""
    with web() as served, Wire(served.http_port) as quick, Wire(served.http_port) as slow:
        for wire in (quick, slow):
            wire.say(GET)
            wire.socket.shutdown(socket.SHUT_WR)
        first, second = sorted(
            served.take_requests(2), key=lambda request: request.peer[1] != quick.socket.getsockname()[1]
        )
        served.respond(first)
        assert quick.answer()[0] == 200
        assert quick.is_closed()
        assert slow.is_closed()
        until(lambda: served.take_requests(0) == [] and served.over == [second.id])
        assert not served.respond(second)


def test_a_caller_that_leaves_frees_its_slot() -> None:
    with web() as served:
        with Wire(served.http_port) as wire:
            wire.say(post(EMBED, b"{}"))
            [request] = served.take_requests()
            assert request.method == 3
            assert served.figure("slots") == 1
        served.let_go(of_connections=True)
        until(lambda: served.take_requests(0) == [] and served.over == [request.id])


def test_a_caller_with_more_to_read_than_it_reads_is_seen_to_leave() -> None:
    """What it has sent beyond the first request stays in its socket, where its end is too."""
    with web() as served:
        with Wire(served.http_port) as wire:
            wire.say(GET * 1000)
            [request] = served.take_requests()
            until(lambda: served.figure("received_bytes") > 1 << 14)
        until(lambda: served.take_requests(0) == [] and served.over == [request.id])
        served.let_go(of_connections=True)


def test_an_idle_connection_ends_and_a_busy_one_does_not() -> None:
    with web(http_idle_s=0.1) as served, Wire(served.http_port) as idle, Wire(served.http_port) as busy:
        idle.say(GET)
        served.respond(served.take_requests()[0])
        assert idle.answer()[0] == 200
        busy.say(GET)
        [request] = served.take_requests()
        assert idle.is_closed()
        served.respond(request)
        assert busy.answer()[0] == 200


@pytest.mark.parametrize("said", [b"", b"PRI * HT", b"\r\n"])
def test_who_says_nothing_is_closed(said: bytes) -> None:
    with web(caller_timeout_s=0.2) as served, Wire(served.http_port) as wire:
        assert wire.say(said).is_closed()
        served.let_go(of_connections=True)


def test_slow_heads_and_bodies_are_refused() -> None:
    """A method's in prepared words; the application says what it will of its own, of what came."""
    with web(caller_timeout_s=0.3) as served, Wire(served.http_port) as wire:
        status, headers, body = wire.say(GET[:30]).answer()
        assert (status, headers["connection"], body) == (408, "close", b"it is slow")
        assert wire.is_closed()
        with Wire(served.http_port) as slow:
            assert slow.say(post(EMBED, b"four")[:-1]).answer()[0] == 408
            assert slow.is_closed()
        with Wire(served.http_port) as other:
            other.say(post("/page", b"four")[:-1])
            [request] = served.take_requests()
            assert (request.is_whole, request.body) == (False, b"fou")
            served.respond(request, status=408)
            status, headers, _ = other.answer()
            assert (status, headers["connection"]) == (408, "close")
        served.let_go(of_connections=True)


def test_a_caller_that_does_not_read_is_closed() -> None:
    with web(caller_timeout_s=0.3) as served, Wire(served.http_port, receives=4096) as wire:
        wire.say(GET)
        served.respond(served.take_requests()[0], bytes(8_000_000))
        served.let_go(of_connections=True)


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        (EMBED, ["Content-Length: 900000000"]),
        (EMBED, ["Transfer-Encoding: chunked"]),
        ("/page", ["Transfer-Encoding: chunked"]),
    ],
)
def test_a_refused_request_is_read_no_further(path: str, lines: list[str]) -> None:
    """Its caller is told so while it still sends; then the connection ends."""
    head = "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()
    piece = b"100000\r\n" + bytes(1 << 20) + b"\r\n" if "chunked" in lines[0] else bytes(1 << 20)
    with web(max_message_bytes=1 << 20) as served, Wire(served.http_port) as wire:
        wire.say(head)
        sending = threading.Thread(target=send_on, args=(wire, piece))
        sending.start()
        if path != EMBED:
            [request] = served.take_requests()
            assert not request.is_whole
            served.respond(request, status=404)
        status, headers, _ = wire.answer()
        assert (status, headers["connection"]) == (413 if path == EMBED else 404, "close")
        sending.join(TIMEOUT_S)
        assert not sending.is_alive()
        served.let_go(of_connections=True)


def send_on(wire: Wire, piece: bytes) -> None:
    try:
        while True:
            wire.say(piece)
    except OSError:
        pass
