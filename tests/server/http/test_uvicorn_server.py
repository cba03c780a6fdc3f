"""uvicorn, which serves HTTP where the native transport isn't built: the same answers, within bounds of its own."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPResponse

import httpx
import pytest

from bothends.model.bundle import Bundle
from bothends.server.server import Server
from tests.support.doors import TIMEOUT_S, serving
from tests.support.transports import native_alone
from tests.support.until import until

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


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
                ]
            found.append([(answer.status_code, headers_of(answer), answer.content) for answer in answers])
    assert found[0] == found[1]


def headers_of(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "date"}


def test_the_banner_says_by_what(fallback: Server) -> None:
    assert "  by uvicorn\n" in fallback.banner()


@native_alone
def test_the_banner_of_the_native_transport(toy_bundle: Bundle) -> None:
    with serving(toy_bundle) as native:
        assert native.banner().count("by the native transport\n") == 2
        assert "  slow " not in native.banner()
