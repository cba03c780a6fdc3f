"""Connections over HTTP/1.1: whose give way to whom, and what becomes of a request that is refused amid its body."""

import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import RemoteDisconnected
from pathlib import Path

import httpx
import pytest

from bothends.model.bundle import Bundle
from bothends.server.http.failure import JSON
from bothends.server.keys import new
from bothends.server.server import Server
from bothends.settings import Settings
from tests.support.doors import serving
from tests.support.gate import Gate
from tests.support.https import BY_PYTHON, answer_on, in_progress, of, posting
from tests.support.transports import native_alone
from tests.support.until import TIMEOUT_S, until

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


def test_who_is_answered_does_not_give_way_to_its_own_network(small: Server, gate: Gate) -> None:
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


def test_who_is_answered_gives_way_to_who_has_far_less(small: Server, gate: Gate) -> None:
    """One is told to come again, and its work is dropped; the others are answered."""
    gate.clear()
    with waiting(small, *["127.0.0.3"] * 3) as greedy, connected(small, "127.0.0.2") as newcomer:
        assert status_of(newcomer, "/v1/models") == 200
        until(lambda: in_progress(small) == 2)
        gate.set()
        assert sorted(answer_on(connection)[0] for connection in greedy) == [200, 200, 429]


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
