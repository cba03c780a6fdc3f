"""Malformed HTTP/1.1 is refused or cut off; health and gRPC answer as ever, in bounded memory."""

import random
import socket
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest

from .conftest import Form
from .hostile import PREFACE
from .victim import Victim, victim

pytestmark = pytest.mark.chaos
MAX_GROWTH_MB = 50
_ANSWER_S = 5.0
_HALVES = 64
"""Number of connections that stay half said: fewer than a server takes."""


@pytest.fixture(scope="module")
def attacked() -> Iterator[Victim]:
    with victim() as server:
        yield server


def said(server: tuple[str, int], content: bytes) -> bytes:
    """Return all that the server answers to `content` until it hangs up or says nothing more."""
    answer = b""
    with socket.create_connection(server, timeout=_ANSWER_S) as connection:
        try:
            connection.sendall(content)
            with suppress(OSError):  # it has hung up already; what it said is still to be read
                connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionError:  # cut off while it was still being told
            pass
    return answer


def is_alive(server: Victim) -> None:
    """Return True if health over HTTP and embeddings over gRPC are as ever."""
    address = "http://{}:{}/readyz".format(*server.http)
    with urllib.request.urlopen(address, timeout=_ANSWER_S) as page:
        assert page.read() == b'{"status":"serving"}'
    server.answers_right()


def get(path: str = "/healthz", *lines: str, version: str = "1.1", method: str = "GET") -> bytes:
    """Write a request's head."""
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: localhost", *lines, "", ""]).encode("latin-1")


SETTINGS = b"\0\0\x12\4\0\0\0\0\0\0\4\0"
"""Bytes with which the native transport greets HTTP/2, before it says that it expected as much from its caller."""
CASES: dict[str, tuple[bytes, set[bytes]]] = {
    "a good request": (get("/healthz", "Connection: close"), {b"200"}),
    "an unknown path": (get("/secret", "Connection: close"), {b"404"}),
    "a path upwards": (get("/../../../etc/passwd", "Connection: close"), {b"404"}),
    "an encoded path upwards": (get("/%2e%2e/%2e%2e/etc/passwd", "Connection: close"), {b"404"}),
    "another method": (get("/metrics", "Connection: close", method="DELETE"), {b"405"}),
    "a body nobody wants": (get("/healthz", "Content-Length: 5", "Connection: close") + b"hello", {b"200"}),
    "another's name": (b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", {b"421"}),
    "a megabyte of header": (get("/healthz", "X: " + "y" * (1 << 20)), {b"400", b"431", b""}),
    "HTTP/2": (PREFACE + bytes(1000), {b"400", b"404", b"505", SETTINGS[9:12], b""}),
    "half a request": (b"GET /healthz HT", {b"400", b""}),
    "an upgrade": (
        get("/healthz", "Connection: Upgrade, close", "Upgrade: websocket"),
        {b"200", b"400", b"403", b"404"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_request_is_refused(attacked: Victim, record: Callable[..., None], case: str) -> None:
    """Each has the status that fits, or is cut off; the answer holds nothing of the machine."""
    content, statuses = CASES[case]
    answer = said(attacked.http, content)
    assert answer[9:12] in statuses, answer[:200]
    assert b"Traceback" not in answer
    assert b"root:" not in answer
    is_alive(attacked)
    record("wrong HTTP/1.1", cases=len(CASES), growth_mb=round(attacked.growth_mb), lost=0)


def test_noise_is_refused(attacked: Victim, form: Form, record: Callable[..., None]) -> None:
    """Random bytes, and requests in which a few bytes are others, are refused."""
    chance, tries = random.Random(7), form.pick(300, 20_000)
    good = bytearray(get("/healthz", "Accept: text/plain", "Content-Length: 3", "Connection: close") + b"abc")
    for _ in range(tries):
        noise = bytearray(good)
        for _ in range(chance.choice([1, 2, 8, 40])):
            noise[chance.randrange(len(noise))] = chance.randrange(256)
        answer = said(attacked.http, bytes(noise) if chance.random() < 0.8 else chance.randbytes(200))
        assert b" 500 " not in answer[:20]
    is_alive(attacked)
    record("wrong HTTP/1.1", noise=tries, growth_mb=round(attacked.growth_mb), lost=0)
    assert attacked.growth_mb < MAX_GROWTH_MB


def test_a_pipeline_of_requests_is_answered_in_order(attacked: Victim) -> None:
    """A thousand requests in one piece have an answer each; the last one closes."""
    answer = said(attacked.http, get() * 999 + get("/healthz", "Connection: close"))
    assert answer.count(b"HTTP/1.1 200 OK") == 1000
    is_alive(attacked)


def test_half_said_requests_keep_nobody_waiting(attacked: Victim) -> None:
    """Slow callers, each of which says a little and then nothing, hold up no other."""
    with ExitStack() as held:
        for _ in range(_HALVES):
            connection = held.enter_context(socket.create_connection(attacked.http))
            connection.sendall(get()[:20])
        is_alive(attacked)
    is_alive(attacked)
    assert attacked.growth_mb < MAX_GROWTH_MB
