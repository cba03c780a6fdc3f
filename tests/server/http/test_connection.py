"""Connections over HTTP/1.1: whose give way to whom, and what becomes of a request that is refused amid its body."""

import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPResponse, RemoteDisconnected
from pathlib import Path

import httpx
import pytest

from bothends.model.bundle import Bundle
from bothends.server.http.failure import JSON
from bothends.server.keys import new
from bothends.server.server import Server
from bothends.settings import Settings
from tests.support.doors import TIMEOUT_S, serving
from tests.support.https import BY_PYTHON, answer_on, in_progress, of, posting
from tests.support.transports import native_alone
from tests.support.until import until

pytestmark = native_alone
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNK = b"1\r\nx\r\n"


@pytest.fixture(scope="module")
def small(english: Bundle) -> Iterator[Server]:
    """A server for three connections."""
    with serving(english, max_connections=3) as server:
        yield server


@pytest.fixture(autouse=True)
def nobody(small: Server) -> None:
    """Wait until the connections of the test before have ended."""
    until(lambda: small.http_connections == 0)


def connected(server: Server, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.http_port), TIMEOUT_S, source_address=(source, 0))


def status_of(connection: socket.socket, path: str) -> int | None:
    """Send a GET; return the status of the answer, or None if the connection ends."""
    try:
        connection.sendall(GET.replace(b"/healthz", path.encode()))
        return answer_on(connection)[0]
    except (ConnectionError, RemoteDisconnected):
        return None


def is_answered(connection: socket.socket) -> bool:
    return status_of(connection, "/healthz") == 200


@contextmanager
def waiting(server: Server, *sources: str) -> Iterator[list[socket.socket]]:
    """Connect from each of these addresses, and wait for the answer to a list: engines stand still."""
    body = of(["a"] * 100)
    head = f"POST {BY_PYTHON} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}"
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(server, source)) for source in sources]
        for connection in connections:
            connection.sendall(head.encode() + b"\r\n\r\n" + body)
        until(lambda: in_progress(server) == len(sources))
        yield connections


def test_who_has_most_connections_gives_way(small: Server) -> None:
    """The idlest connection of who has several ends for one of who has none."""
    with ExitStack() as stack:
        greedy = [stack.enter_context(connected(small, "127.0.0.3")) for _ in range(3)]
        for connection in greedy:
            assert is_answered(connection)
        polite = stack.enter_context(connected(small, "127.0.0.2"))
        assert is_answered(polite)
        assert [is_answered(connection) for connection in (polite, *greedy)] == [True, False, True, True]


def test_who_is_answered_does_not_give_way_to_its_own_network(small: Server, gate: threading.Event) -> None:
    """A newcomer is refused, but for a probe or a scrape, where all others of its address wait for their answers."""
    gate.clear()
    with waiting(small, *["127.0.0.1"] * 3) as others, ExitStack() as stack:
        for path, status in (("/v1/models", 429), ("/healthz", 200), ("/readyz", 200), ("/metrics", 200)):
            assert status_of(stack.enter_context(connected(small)), path) == status
        newcomer = httpx.get(f"http://127.0.0.1:{small.http_port}/v1/models", timeout=TIMEOUT_S)
        assert newcomer.json()["error"]["message"] == "there are too many connections; come again"
        assert newcomer.headers["retry-after"] == "1"
        gate.set()
        assert [answer_on(connection)[0] for connection in others] == [200] * 3


def test_a_server_of_whose_connections_none_is_left_is_seen_but_not_called(
    small: Server, gate: threading.Event
) -> None:
    """Beside as many callers as there may be, its metrics tell of them, and a call is refused at once."""
    gate.clear()
    with waiting(small, *["127.0.0.1"] * 3) as callers:
        page = httpx.get(f"http://127.0.0.1:{small.http_port}/metrics", timeout=TIMEOUT_S).text
        assert "\nbothends_http_connections 3.0\n" in page
        assert "\nbothends_http_connections_limit 3.0\n" in page
        with closing(posting(small, "Content-Length: 2", body=b"{}")) as newcomer:
            status, told = answer_on(newcomer)
        assert (status, json.loads(told)["error"]["code"]) == (429, "server_overloaded")
        gate.set()
        assert [answer_on(caller)[0] for caller in callers] == [200] * 3


def test_who_is_answered_gives_way_to_who_has_far_less(small: Server, gate: threading.Event) -> None:
    """One is told to come again, and its work is dropped; the others are answered."""
    gate.clear()
    with waiting(small, *["127.0.0.3"] * 3) as greedy, connected(small, "127.0.0.2") as newcomer:
        assert status_of(newcomer, "/v1/models") == 200
        until(lambda: in_progress(small) == 2)
        gate.set()
        assert sorted(answer_on(connection)[0] for connection in greedy) == [200, 200, 429]


def test_who_is_answered_does_not_give_way_to_who_has_as_much(small: Server, gate: threading.Event) -> None:
    gate.clear()
    with waiting(small, "127.0.0.2", "127.0.0.3", "127.0.0.3") as others:
        with connected(small, "127.0.0.2") as newcomer:
            assert status_of(newcomer, "/v1/models") == 429
        gate.set()
        assert [answer_on(connection)[0] for connection in others] == [200] * 3


def test_a_probe_comes_through_whoever_holds_the_places_for_probes(small: Server, gate: threading.Event) -> None:
    """Silent newcomers beyond all places give way to the next."""
    gate.clear()
    with waiting(small, *["127.0.0.1"] * 3), ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(connected(small))
        assert is_answered(stack.enter_context(connected(small)))
        assert small.http_connections <= 3 + 8
        gate.set()


def test_who_sends_slowly_gives_way(small: Server) -> None:
    """Bodies that don't come whole hold connections only as long as nobody needs them."""
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(closing(posting(small, "Content-Length: 100", body=b"{")))
        until(lambda: in_progress(small) == 3)
        assert is_answered(stack.enter_context(connected(small)))


@pytest.mark.parametrize("lines", ["Content-Length: 900000000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("kind", ["unknown", "too large", "no such method"])
def test_a_refused_request_is_read_no_further(small: Server, lines: str, kind: str) -> None:
    """Whoever is refused amid a request is told so, and that the connection ends; then it ends."""
    path = {"unknown": "/secret", "too large": "/v1/embeddings", "no such method": "/healthz"}[kind]
    status = {"unknown": 404, "too large": 413, "no such method": 405}[kind]
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{lines}\r\n\r\n"
    piece = b"100000\r\n" + bytes(1 << 20) + b"\r\n" if "chunked" in lines else bytes(1 << 20)
    with connected(small) as connection:
        connection.sendall(head.encode())
        sending = threading.Thread(target=send_on, args=(connection, piece))
        sending.start()
        answer = HTTPResponse(connection)
        answer.begin()
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        sending.join(TIMEOUT_S)
        assert not sending.is_alive()
        until(lambda: small.http_connections == 0)


def send_on(connection: socket.socket, piece: bytes) -> None:
    try:
        while True:
            connection.sendall(piece)
    except OSError:
        pass


def test_a_body_in_tiny_chunks_is_refused(small: Server) -> None:
    """Some thousand chunks are read, whatever is in them; more are malformed, and say so."""
    for count, status in ((2000, 400), (3000, 400)):
        with closing(posting(small, "Transfer-Encoding: chunked", body=CHUNK * count + b"0\r\n\r\n")) as connection:
            found, told = answer_on(connection)
            assert found == status
            assert ("JSON" if count == 2000 else "chunk") in told


@pytest.mark.parametrize("lines", [[], ["Authorization: Bearer no"]])
def test_a_body_that_becomes_malformed_is_no_error_of_ours(
    english: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture, lines: list[str]
) -> None:
    """A request is refused once, whatever was about to be answered, and no error is logged."""
    (tmp_path / "keys.toml").write_text(new("search")[1])
    with serving(english, api_keys=tmp_path / "keys.toml") as server:
        for body in (CHUNK * 5000, CHUNK + b"no chunk\r\n"):
            with closing(posting(server, "Transfer-Encoding: chunked", *lines, body=body)) as connection:
                assert answer_on(connection)[0] in (400, 401)
        until(lambda: server.http_connections == 0)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_callers_give_idle_connections_up_before_the_server_does() -> None:
    """A pool that keeps one for as long as the server sends its next call into a connection that is being closed."""
    kept_s = httpx.Limits().keepalive_expiry  # of OpenAI's package, too
    assert kept_s is not None
    assert Settings().http_idle_s >= 10 * kept_s
