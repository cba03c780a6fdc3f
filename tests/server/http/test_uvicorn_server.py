"""uvicorn, which serves HTTP where the native transport isn't built: the same answers, within bounds of its own."""

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPResponse

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from bothends.model.bundle import Bundle
from bothends.server.http.uvicorn_server import UvicornServer
from bothends.server.server import Server
from bothends.settings import HttpSettings
from tests.support.doors import serving
from tests.support.transports import native_alone
from tests.support.until import TIMEOUT_S, until

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
ABSOLUTE = [
    (b"http://localhost/v1/models", "evil.example", 200),
    (b"http://evil.example/v1/models", "localhost", 421),
    (b"HTTPS://localhost:1/nothing?x=http://a/", "localhost", 404),
    (b"http://localhost", "localhost", 200),
    (b"http:///v1/models", "localhost", 400),
    (b"http://localhost@evil.example/v1/models", "localhost", 400),
]
"""Targets in absolute form, the Host that comes with each, and the status of the answer."""


@pytest.fixture(scope="module")
def fallback(toy_bundle: Bundle) -> Iterator[Server]:
    with serving(toy_bundle, transport="grpcio", max_uvicorn_connections=2, max_header_bytes=4096) as server:
        yield server


def connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.http_port), TIMEOUT_S)


def status_of(connection: socket.socket, more: bytes = b"") -> int:
    connection.sendall(GET + more + b"\r\n")
    answer = HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status


def test_more_connections_than_there_may_be_are_told_so(fallback: Server) -> None:
    """Those that there may be are answered; one more is, once another has ended."""
    with ExitStack() as stack:
        first, second, third = [stack.enter_context(connected(fallback)) for _ in range(3)]
        until(lambda: fallback.http_connections == 3)
        assert status_of(third) == 503
        first.close()
        until(lambda: fallback.http_connections == 1)  # uvicorn has closed the one that it refused
        assert status_of(second) == 200


def test_headers_have_a_bound(fallback: Server) -> None:
    with connected(fallback) as connection:
        assert status_of(connection, b"X: " + b"y" * 3000 + b"\r\n") == 200
    with connected(fallback) as connection:
        connection.sendall(GET + b"X: " + b"y" * 100_000)
        answer = HTTPResponse(connection)
        answer.begin()
        assert answer.status == 400


@pytest.mark.parametrize(("target", "host", "status"), ABSOLUTE)
def test_an_absolute_target_names_its_host(fallback: Server, target: bytes, host: str, status: int) -> None:
    """RFC 9112, 3.2.2: a server takes that form, and its authority in the place of the Host."""
    with httpx.Client(base_url=f"http://127.0.0.1:{fallback.http_port}", timeout=TIMEOUT_S) as http:
        assert http.get("/", headers={"host": host}, extensions={"target": target}).status_code == status


HIDDEN = b"DELETE /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("lines", [b"", b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"Expect: 100-continue\r\n"])
def test_a_body_with_a_length_is_read_as_one(fallback: Server, lines: bytes) -> None:
    """What hides in it is no request; the next one is what comes after it (CVE-2026-58055 was one of Upgrade)."""
    first = GET + lines + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN
    with connected(fallback) as connection:
        connection.sendall(first + GET + b"Connection: close\r\n\r\n")
        told = connection.makefile("rb").read()
    assert [told.count(b"HTTP/1.1 %d " % status) for status in (200, 405)] == [2, 0]


class Slow:
    """Application that answers once it is told to, or says at once that it does and then goes on once it is told to."""

    def __init__(self) -> None:
        self.asked, self.may_go_on = threading.Event(), threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]}
        if is_early := scope["path"] == "/early":
            await send(begun)
        self.asked.set()
        await asyncio.to_thread(self.may_go_on.wait, TIMEOUT_S)
        if not is_early:
            await send(begun)
        await send({"type": "http.response.body", "body": b"here"})


CHUNKED = b"POST %s HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
BEFORE_GARBAGE = {
    "the last request": GET + b"Connection: close\r\n\r\n",
    "a request of HTTP/1.0": GET.replace(b"1.1", b"1.0") + b"\r\n",
    "a request with a body": CHUNKED % b"/" + b"1\r\nx\r\n0\r\n\r\n",
    "a request that is answered before its body came": CHUNKED % b"/early",
}


@pytest.mark.parametrize("case", BEFORE_GARBAGE)
def test_a_request_is_answered_whatever_comes_behind_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """Its answer goes out, and ends the connection; nothing fails."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = Slow()
    server = UvicornServer(app, listener, HttpSettings(), None)
    server.start()
    log = logging.getLogger("uvicorn.error")  # which another server of this process may have set up otherwise
    monkeypatch.setattr(log, "disabled", False)
    monkeypatch.setattr(log, "handlers", [caplog.handler])
    caplog.set_level(logging.INFO, log.name)
    try:
        with socket.create_connection(listener.getsockname(), TIMEOUT_S) as connection:
            connection.sendall(BEFORE_GARBAGE[case])
            assert app.asked.wait(TIMEOUT_S)
            connection.sendall(b"!garbage\r\n\r\n")
            is_kept = "a body" in case  # then what comes behind it is looked at once it is answered
            until(lambda: is_kept or "Invalid HTTP request" in caplog.text)
            app.may_go_on.set()
            told = connection.makefile("rb").read()
    finally:
        server.stop(0)
    answer, behind = told.split(b"\r\n\r\nhere")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert behind.startswith(b"HTTP/1.1 400 ") if is_kept else behind == b""
    assert "Traceback" not in caplog.text


@native_alone
def test_one_application_has_two_servers(fallback: Server, toy_bundle: Bundle) -> None:
    """Whichever serves, the same answers come, with the same headers."""
    asked = {"model": "toy", "input": ["a man", "a woman"], "encoding_format": "base64"}
    found = []
    with serving(toy_bundle) as native:
        for server in (native, fallback):
            with httpx.Client(base_url=f"http://127.0.0.1:{server.http_port}", timeout=TIMEOUT_S) as http:
                answers = [
                    *(http.get(path) for path in ("/healthz", "/readyz", "/v1/models", "/", "/nothing", "/v1/nothing")),
                    http.head("/v1/models"),
                    http.delete("/v1/models"),
                    http.post("/v1/embeddings", json=asked),
                    http.post("/v1/embeddings", json={"model": "toy"}),
                    http.post("/v1/embeddings", content=b"x", headers={"content-type": "text/plain"}),
                    http.get("/healthz", headers={"host": "evil.example"}),
                    *(
                        http.get("/", headers={"host": host}, extensions={"target": target})
                        for target, host, status in ABSOLUTE
                        if status != 400
                    ),
                ]
            found.append([(answer.status_code, headers_of(answer), answer.content) for answer in answers])
    assert found[0] == found[1]


def headers_of(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "date"}
