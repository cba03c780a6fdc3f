"""HTTP/1.1: requests come whole, answers go in their order, and connections stay or end as both sides say."""

import contextlib
import json
import socket
from collections.abc import Iterator

import pytest

from tests.support.until import until

from .web import EMBED, GET, Web, Wire, post, web


@pytest.fixture
def echo() -> Iterator[Web]:
    with web() as served:
        yield served.answering_requests()


def seen(body: bytes) -> dict[str, object]:
    found: dict[str, object] = json.loads(body)
    return found


def test_a_request_comes_whole_and_its_answer_is_dressed(echo: Web) -> None:
    with Wire(echo.http_port) as wire:
        status, headers, body = wire.say(post("/page?x=%41", b"hello", "X-One:  two \t", "x-one: 3")).answer()
        assert status == 200
        assert seen(body) == {
            "verb": "POST",
            "target": "/page?x=%41",
            "version": "1.1",
            "headers": [["host", "localhost"], ["content-length", "5"], ["x-one", "two"], ["x-one", "3"]],
            "body": "hello",
            "is_whole": True,
        }
        assert headers.pop("date").endswith(" GMT")
        assert headers == {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "x-content-type-options": "nosniff",
        }
        [request] = echo.requests
        assert (request.peer[0], request.listener, request.method) == ("127.0.0.1", 1, None)
        assert request.peer[1] == wire.socket.getsockname()[1]
        assert (request.key, request.deadline, request.is_encrypted) == (b"", None, False)


@pytest.mark.parametrize("size", [0, 65_537, 3_000_000])
def test_bodies_of_every_size_come_back(echo: Web, size: int) -> None:
    body = b"x" * size
    with Wire(echo.http_port) as wire:
        for _ in range(2):
            assert seen(wire.say(post("/page", body)).answer()[2])["body"] == body.decode()


def test_every_split_of_a_request_reads_the_same(echo: Web) -> None:
    whole = (
        post("/a", b"body", "X: y")
        + b"POST /b HTTP/1.1\r\nhost:h\r\nTransfer-Encoding: CHUNKED\r\n\r\n"
        + (b"3;a=b\r\nabc\r\n1\r\nd\r\n0\r\nT: x\r\n\r\n")
    )
    for index in range(1, len(whole)):
        with Wire(echo.http_port) as wire:
            wire.say(whole[:index])
            wire.say(whole[index:])
            first, second = seen(wire.answer()[2]), seen(wire.answer()[2])
        assert (first["body"], second["body"], second["target"]) == ("body", "abcd", "/b")


def test_pipelined_requests_are_answered_in_order(echo: Web) -> None:
    """More of them than are read before the first is answered, by a caller that then closes its side."""
    with Wire(echo.http_port) as wire:
        count = 500  # of some 70 bytes: twice as many as are read ahead
        wire.say(b"".join(post(f"/{number}", b"%d" % number) for number in range(count)))
        wire.socket.shutdown(socket.SHUT_WR)
        for number in range(count):
            assert seen(wire.answer()[2])["body"] == str(number)
        assert wire.is_closed()


def test_one_request_of_a_connection_at_a_time() -> None:
    with web() as served, Wire(served.http_port) as wire:
        wire.say(GET * 5)
        for _ in range(5):
            [request] = served.take_requests()
            taken = served.transport.take_requests()
            assert taken is not None
            assert not taken.requests
            served.respond(request)
            assert wire.answer()[0] == 200


@pytest.mark.parametrize(
    ("version", "line", "kept"),
    [
        ("1.1", "X: y", None),
        ("1.1", "Connection: close", "close"),
        ("1.1", "Connection: x, CLOSE", "close"),
        ("1.0", "X: y", "close"),
        ("1.0", "Connection: keep-alive", "keep-alive"),
        ("1.1", "Connection: upgrade\r\nUpgrade: h2c", None),
    ],
)
def test_connections_stay_as_callers_say(echo: Web, version: str, line: str, kept: str | None) -> None:
    with Wire(echo.http_port) as wire:
        status, headers, _ = wire.say(post("/page", b"x", line, version=version)).answer()
        assert (status, headers.get("connection")) == (200, kept)
        if kept == "close":
            assert wire.is_closed()
        else:
            assert wire.say(GET).answer()[0] == 200


def test_a_head_is_answered_without_a_body(echo: Web) -> None:
    with Wire(echo.http_port) as wire:
        status, headers, body = wire.say(GET.replace(b"GET", b"HEAD")).answer("HEAD")
        assert (status, body) == (200, b"")
        assert int(headers["content-length"]) > 0
        assert wire.say(GET).answer()[0] == 200


def test_who_expects_to_be_told_is_told_once_the_body_is_wanted(echo: Web) -> None:
    head, body = post("/page", b"hello", "Expect: 100-Continue").split(b"\r\n\r\n")
    with Wire(echo.http_port) as wire:
        wire.say(head + b"\r\n\r\n")
        told = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert wire.socket.recv(len(told), socket.MSG_WAITALL) == told
        assert seen(wire.say(body).answer()[2])["body"] == "hello"


def test_who_is_refused_is_not_told_to_go_on() -> None:
    with web(max_message_bytes=1000) as served, Wire(served.http_port) as wire:
        head = post(EMBED, bytes(1001), "Expect: 100-continue").split(b"\r\n\r\n")[0] + b"\r\n\r\n"
        status, headers, body = wire.say(head).answer()
        assert (status, headers["connection"], body) == (413, "close", b"it is large")
        assert wire.is_closed()


def test_a_header_that_ends_a_line_is_an_error(echo: Web) -> None:
    for header in ((b"x", b"a\r\nb"), (b"x\n", b"a"), (b"x", b"a\0")):
        with pytest.raises(ValueError, match="end of a line"):
            echo.transport.respond(1, 200, [header], b"")


def test_requests_wait_in_turns_of_connections() -> None:
    """Whoever has a thousand requests comes after who has one."""
    with web() as served, Wire(served.http_port) as greedy, Wire(served.http_port) as polite:
        greedy.say(GET * 100)
        until(lambda: served.figure("waiting") == 1)
        polite.say(GET)
        until(lambda: served.figure("waiting") == 2)
        assert {request.peer[1] for request in served.take_requests(2)} == {
            wire.socket.getsockname()[1] for wire in (greedy, polite)
        }


def test_what_is_sent_before_an_answer_is_read_only_in_part() -> None:
    """Whoever sends on and on before the first answer fills buffers of the system's: here 16 KiB and a piece wait."""
    with web() as served, Wire(served.http_port) as greedy, Wire(served.http_port) as polite:
        greedy.say(GET)
        [first] = served.take_requests()
        greedy.socket.setblocking(False)
        sent, exchanges = 0, 20
        with contextlib.suppress(BlockingIOError):
            while sent < 1 << 22:
                sent += greedy.socket.send(GET * 1000)
        assert sent > 1 << 17
        for _ in range(exchanges):  # by each of them, what is wanted of the other connection is read too
            polite.say(GET)
            [request] = served.take_requests()
            served.respond(request)
            assert polite.answer()[0] == 200
        assert served.figure("received_bytes") - exchanges * len(GET) < 20_000
        served.respond(first)
