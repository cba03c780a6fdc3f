"""HTTP/1.1 that could be read in two ways, or is none, or too much of it, is refused, and its connection ends."""

import json
from collections.abc import Iterator

import pytest

from tests.support.until import until

from .served import METHODS
from .web import EMBED, GET, Web, Wire, post, web

NEXT = b"GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""Request that a proxy takes for the body of the one before it."""
HOST = "Host: localhost"
CHUNKED = "Transfer-Encoding: chunked"
END = b"0\r\n\r\n"


@pytest.fixture(scope="module")
def strict(shards: int) -> Iterator[Web]:
    with web(max_message_bytes=1 << 20, transport_shards=shards) as served:
        yield served.answering_requests()


def head(*lines: str, start: str = "POST /page HTTP/1.1") -> bytes:
    return "\r\n".join([start, *lines, "", ""]).encode("latin-1")


CASES: dict[str, tuple[bytes, int]] = {
    "a length, then a coding": (head(HOST, "Content-Length: 5", CHUNKED) + END + NEXT, 400),
    "a coding, then a length": (head(HOST, CHUNKED, "Content-Length: 5") + END + NEXT, 400),
    "a coding in HTTP/1.0": (head(HOST, CHUNKED, start="POST /page HTTP/1.0") + END + NEXT, 400),
    "two codings": (head(HOST, CHUNKED, CHUNKED) + END + NEXT, 501),
    "a coding before chunked": (head(HOST, "Transfer-Encoding: gzip, chunked") + END + NEXT, 501),
    "a coding before chunked, in a line of its own": (head(HOST, "Transfer-Encoding: x", CHUNKED) + END + NEXT, 501),
    "a coding after chunked": (head(HOST, CHUNKED + ", identity") + END + NEXT, 501),
    "an unknown coding": (head(HOST, "Transfer-Encoding: xchunked") + END + NEXT, 501),
    "a coding behind a control character": (head(HOST, "Transfer-Encoding: \x0bchunked") + END + NEXT, 400),
    "a length twice": (head(HOST, "Content-Length: 5", "Content-Length: 5") + b"hello" + NEXT, 400),
    "a length twice in a line": (head(HOST, "Content-Length: 5, 5") + b"hello" + NEXT, 400),
    "a signed length": (head(HOST, "Content-Length: +5") + b"hello" + NEXT, 400),
    "an endless length": (head(HOST, "Content-Length: " + "9" * 30) + NEXT, 400),
    "two hosts": (head(HOST, "Host: other") + NEXT, 400),
    "no host": (head("X: y") + NEXT, 400),
    "a header in two lines": (head(HOST, "X: a", " b") + NEXT, 400),
    "a header that begins in its second line": (head(HOST, "X:", "  b") + NEXT, 400),
    "a first header behind a space": (head(" X: a", HOST) + NEXT, 400),
    "a space before a colon": (head(HOST, "Content-Length : 5") + b"hello" + NEXT, 400),
    "a header without a name": (head(HOST, ": b") + NEXT, 400),
    "a header without a colon": (head(HOST, "Content-Length") + NEXT, 400),
    "a lone line feed after the first line": (b"GET / HTTP/1.1\nHost: localhost\r\n\r\n" + NEXT, 400),
    "a lone line feed after a header": (b"GET / HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n" + NEXT, 400),
    "a lone line feed at a head's end": (b"GET / HTTP/1.1\r\nHost: localhost\r\n\n" + NEXT, 400),
    "a lone carriage return in a header": (head(HOST, "X: a\rContent-Length: 5") + NEXT, 400),
    "a zero byte": (head(HOST, "X: a\0b") + NEXT, 400),
    "a name that is no token": (head(HOST, "X\xff: b") + NEXT, 400),
    "HTTP/2.0": (head(HOST, start="GET / HTTP/2.0") + NEXT, 505),
    "HTTP/9.9": (head(HOST, start="GET / HTTP/9.9") + NEXT, 505),
    "no version": (b"GET /\r\n\r\n" + NEXT, 400),
    "another protocol": (head(HOST, start="SOURCE / ICE/1.0") + NEXT, 400),
    "RTSP by a method of HTTP": (head(HOST, start="POST /page RTSP/1.0") + NEXT, 400),
    "a protocol in small letters": (head(HOST, start="GET / http/1.1") + NEXT, 400),
    "a lone line feed before the first line": (b"\n" + head(HOST) + NEXT, 400),
    "a lone carriage return before the first line": (b"\r" + head(HOST) + NEXT, 400),
    "an empty line of two carriage returns": (b"\r\r\n" + head(HOST) + NEXT, 400),
    "two spaces before the target": (head(HOST, start="GET  / HTTP/1.1") + NEXT, 400),
    "two spaces after the target": (head(HOST, start="GET /  HTTP/1.1") + NEXT, 400),
    "a tab in place of a space": (head(HOST, start="GET\t/ HTTP/1.1") + NEXT, 400),
    "a tab in the target": (head(HOST, start="GET /\tHTTP/1.1 HTTP/1.1") + NEXT, 400),
    "a space after the version": (head(HOST, start="GET / HTTP/1.1 ") + NEXT, 400),
    "an absolute target without a host": (head(HOST, start="GET http:///page HTTP/1.1") + NEXT, 400),
    "an absolute target with a user": (head(HOST, start="GET http://localhost@other/ HTTP/1.1") + NEXT, 400),
    "an absolute target, and no Host": (head(start="GET http://localhost/page HTTP/1.1") + NEXT, 400),
    "an unknown method": (head(HOST, start="FOO / HTTP/1.1") + NEXT, 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(508), 400),
    "a broken preface": (b"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n" + NEXT, 505),
    "no chunk": (head(HOST, CHUNKED) + b"x\r\n" + NEXT, 400),
    "a chunk with a space": (head(HOST, CHUNKED) + b"1 \r\nx\r\n" + END + NEXT, 400),
    "a chunk's line with a lone line feed": (head(HOST, CHUNKED) + b"1\nx\r\n" + END + NEXT, 400),
    "a chunk's extension with a lone line feed": (head(HOST, CHUNKED) + b"1;a=b\nx\r\n" + END + NEXT, 400),
    "a chunk's extension with a lone carriage return": (head(HOST, CHUNKED) + b"1;a=\rb\r\nx\r\n" + END + NEXT, 400),
    "a chunk's extension that ends by one": (head(HOST, CHUNKED) + b"1;a\rx\r\n" + END + NEXT, 400),
    "a chunk's extension with NUL": (head(HOST, CHUNKED) + b"1;a=\0\r\nx\r\n" + END + NEXT, 400),
    "a chunk's quoted extension with a line feed": (head(HOST, CHUNKED) + b'1;a="\n"\r\nx\r\n' + END + NEXT, 400),
    "a chunk longer than it says": (head(HOST, CHUNKED) + b"1\r\nxy\r\n" + END + NEXT, 400),
    "a chunk of endless size": (head(HOST, CHUNKED) + b"f" * 17 + b"\r\n" + NEXT, 400),
    "chunks without end": (head(HOST, CHUNKED) + b"1\r\nx\r\n" * 2049 + END + NEXT, 400),
    "extensions without end": (head(HOST, CHUNKED) + b"1;" + b"a" * (1 << 15) + b"\r\nx\r\n" + END + NEXT, 431),
    "trailers without end": (head(HOST, CHUNKED) + b"0\r\n" + b"X: y\r\n" * 4000 + b"\r\n" + NEXT, 431),
    "a megabyte of target": (head(HOST, start="GET /" + "x" * (1 << 20) + " HTTP/1.1") + NEXT, 431),
    "a megabyte of header": (head(HOST, "X: " + "y" * (1 << 20)) + NEXT, 431),
    "a megabyte of spaces": (head(HOST, "X:" + " " * (1 << 20) + "y") + NEXT, 431),
    "a hundred thousand headers": (head(HOST, *["X: y"] * 100_000) + NEXT, 431),
}


@pytest.mark.parametrize("case", CASES)
def test_what_may_be_read_in_two_ways_is_refused(strict: Web, case: str) -> None:
    """Its connection ends, and nothing behind it is a request."""
    content, status = CASES[case]
    asked = len(strict.requests)
    with Wire(strict.http_port) as wire:
        found, headers, body = wire.say(content).answer()
        assert (found, headers["connection"], headers["x-content-type-options"]) == (status, "close", "nosniff")
        assert body
        assert wire.is_closed()
    assert len(strict.requests) == asked
    strict.let_go(of_connections=True)


@pytest.mark.parametrize(
    "case",
    [
        "a length, then a coding",
        "a header in two lines",
        "a lone line feed after a header",
        "RTSP by a method of HTTP",
        "two spaces after the target",
    ],
)
def test_it_is_refused_wherever_its_bytes_are_split(strict: Web, case: str) -> None:
    content, status = CASES[case]
    for place in (1, 8, 15, 22, 29, 36, 43):
        received = strict.figure("received_bytes")
        with Wire(strict.http_port) as wire:
            wire.say(content[:place])
            until(lambda: strict.figure("received_bytes") >= received + place)  # noqa: B023  it is called at once
            assert wire.say(content[place:]).answer()[0] == status, place


def test_empty_lines_before_a_request_are_passed_over(strict: Web) -> None:
    """Whole ones, before the first and after one with a body (RFC 9112, 2.2); wherever their bytes are split."""
    with Wire(strict.http_port) as wire:
        for content in (b"\r\n\r\n" + GET, b"\r\n" + post("/page", b"x"), b"\r\n\r\n" + GET):
            for index in range(4):
                wire.say(content[index : index + 1])
            assert wire.say(content[4:]).answer()[0] == 200


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("http://here.example:8080/page?x=http://a/", "/page?x=http://a/"),
        ("HTTPS://here.example:8080/page", "/page"),
        ("http://here.example:8080", "/"),
        ("http://here.example:8080?x=y", "/?x=y"),
    ],
)
def test_an_absolute_target_names_its_host(strict: Web, target: str, path: str) -> None:
    """RFC 9112, 3.2.2: a server takes that form, and its authority in the place of the Host."""
    for lines in ((HOST, "X: y"), ("X: y", HOST)):
        with Wire(strict.http_port) as wire:
            status, _, body = wire.say(head(*lines, start=f"GET {target} HTTP/1.1")).answer()
        told = json.loads(body)
        assert (status, told["target"]) == (200, path)
        assert sorted(told["headers"]) == [["host", "here.example:8080"], ["x", "y"]]


def test_an_absolute_target_of_a_method_is_one_of_that_method(strict: Web) -> None:
    """It is asked for by its path, and a request of HTTP/1.0 has the Host that it didn't come with."""
    with Wire(strict.http_port) as wire:
        wire.say(b"POST http://here.example" + EMBED.encode() + b" HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
        assert wire.answer()[0] == 200
    request = strict.requests[-1]
    assert (request.method, request.target, request.body) == (len(METHODS), EMBED.encode(), b"{}")


def test_a_body_may_hold_whatever_it_does(strict: Web) -> None:
    """Lines after the head are no headers, and a request in a body is none."""
    for body in (b" \n [1]", b"\n \n\t{}", NEXT * 3, b"\0" * 100):
        with Wire(strict.http_port) as wire:
            assert wire.say(post("/page", body, "Connection: close")).answer()[0] == 200
            assert wire.is_closed()
        assert strict.requests[-1].body == body


HIDING = {
    "GET with a body": head(HOST, f"Content-Length: {len(NEXT)}", start="GET /page HTTP/1.1"),
    "Expect": head(HOST, f"Content-Length: {len(NEXT)}", "Expect: 100-continue"),
    "an unknown Expect": head(HOST, f"Content-Length: {len(NEXT)}", "Expect: y 100-continue"),
    "Upgrade to HTTP/2": head(HOST, "Connection: Upgrade", "Upgrade: h2c", f"Content-Length: {len(NEXT)}"),
}
"""Heads whose requests have a body, of which some readers know nothing (CVE-2026-58055 was one of Upgrade)."""


@pytest.mark.parametrize("case", HIDING)
def test_a_body_with_a_length_is_read_as_one(strict: Web, case: str) -> None:
    """It comes to the application as that, and what hides in it is no request; the next one is what comes after it."""
    with Wire(strict.http_port) as wire:
        wire.say(HIDING[case] + NEXT + GET)
        while (answer := wire.answer())[0] == 100:
            pass
        first, second = json.loads(answer[2]), json.loads(wire.answer()[2])
        assert (first["target"], first["body"].encode()) == ("/page", NEXT)
        assert (second["target"], second["body"]) == ("/page", "")


def test_some_thousand_chunks_are_read(strict: Web) -> None:
    with Wire(strict.http_port) as wire:
        wire.say(head(HOST, CHUNKED) + b"1\r\nx\r\n" * 2000 + END + GET)
        assert (wire.answer()[0], wire.answer()[0]) == (200, 200)
    assert strict.requests[-2].body == b"x" * 2000


def test_a_flood_of_empty_lines_and_of_tiny_chunks_has_connections_rest() -> None:
    """What brings no work is read a small part of the time, and others are answered meanwhile."""
    with web() as served:
        served.answering_requests()
        with Wire(served.http_port) as flood, Wire(served.http_port) as other:
            flood.say(b"\r\n" * (1 << 16))
            until(lambda: served.figure("rests") > 0)
            assert other.say(GET).answer()[0] == 200
            assert flood.say(GET).answer()[0] == 200
