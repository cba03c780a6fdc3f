"""Bodies over HTTP that lie, or that cost more than they say, are refused in bounded memory; others are answered.

Each comes as a call, whose body may be read without Python, and to a page of the application.
"""

import gzip
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import pytest

from tests.support.until import TIMEOUT_S

from .floods import post
from .victim import Victim, victim

pytestmark = pytest.mark.chaos
MAX_GROWTH_MB = 60
_GOOD = json.dumps({"model": "english", "input": "there will be dragons"}).encode()
_NEXT = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_MOST = 4 << 20
"""Bytes of a body that a server takes."""
_DEEP = 200_000
OK, BAD, LONG = b"200", b"400", b"413"
REFUSED = {BAD, LONG, b"431", b""}


def whole(body: bytes, *lines: str) -> bytes:
    """Write a request whose length is true."""
    return post(f"Content-Length: {len(body)}", *lines) + body


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """Write a request in chunks."""
    return post("Transfer-Encoding: chunked") + b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in chunks) + end


CASES: dict[str, tuple[bytes, set[bytes]]] = {
    "a good one": (whole(_GOOD), {OK}),
    "longer than it says": (post(f"Content-Length: {len(_GOOD) - 3}") + _GOOD + _NEXT, {BAD}),
    "shorter than it says": (post(f"Content-Length: {len(_GOOD) + 9}") + _GOOD, {BAD, b"408", b""}),
    "nothing of what it says": (post("Content-Length: 1000"), {BAD, b"408", b""}),
    "a gigabyte, as it says": (post("Content-Length: 1000000000"), {LONG}),
    "a gigabyte, as it says, if it may": (post("Content-Length: 1000000000", "Expect: 100-continue"), {LONG}),
    "a chunk of a gigabyte": (
        post("Transfer-Encoding: chunked") + b"40000000\r\n" + bytes(1 << 16),
        {BAD, LONG, b"408", b""},
    ),
    "more chunks than fit": (chunked(*[bytes(1 << 16)] * (_MOST // (1 << 16) + 1)), {LONG}),
    "half a chunk": (post("Transfer-Encoding: chunked") + b"ff\r\n{", {BAD, b"408", b""}),
    "chunks of a byte": (chunked(*(_GOOD[at : at + 1] for at in range(len(_GOOD)))), {OK}),
    "a hundred thousand chunks of a byte": (chunked(*[b" "] * 100_000), REFUSED),
    "a chunk's extension of a megabyte": (post("Transfer-Encoding: chunked") + b"1;" + b"x" * (1 << 20), REFUSED),
    "a hundred thousand trailers": (chunked(_GOOD, end=b"0\r\n" + b"X: y\r\n" * 100_000 + b"\r\n"), REFUSED),
    "a hundred thousand headers": (post(*["X: y"] * 100_000), REFUSED),
    "a header of a megabyte": (post("X: " + "y" * (1 << 20)), REFUSED),
    "lists in lists": (whole(b"[" * _DEEP), {BAD}),
    "lists in lists, whole": (whole(b'{"model":"english","input":' + b"[" * _DEEP + b"]" * _DEEP + b"}"), {BAD}),
    "objects in objects": (whole(b'{"a":' * _DEEP + b"1" + b"}" * _DEEP), {BAD}),
    "a deep user": (whole(b'{"user":' + b"[" * _DEEP + b"]" * _DEEP + b"," + _GOOD[1:]), {BAD}),
    "a million keys": (whole(b"{" + b",".join(b'"%x":0' % at for at in range(300_000)) + b"}"), {BAD}),
    "a million numbers": (whole(b'{"input":[' + b"1," * 1_000_000 + b"1]}"), {BAD}),
    "a number of a megabyte": (whole(b'{"dimensions":' + b"1" * (1 << 20) + b"," + _GOOD[1:]), {BAD}),
    "a string without an end": (whole(b'{"input":"' + b"a" * 1_000_000), {BAD}),
    "compressed, 64 MB of nothing": (whole(gzip.compress(bytes(64 << 20)), "Content-Encoding: gzip"), {LONG}),
    "compressed": (whole(gzip.compress(_GOOD), "Content-Encoding: gzip"), {OK}),
}
HALF = {"shorter than it says", "nothing of what it says", "half a chunk", "a chunk of a gigabyte"}
"""Cases of a caller who says that no more will come, where more was announced."""


@pytest.fixture(scope="module")
def attacked() -> Iterator[Victim]:
    with victim() as server:
        yield server


def first(server: tuple[str, int], content: bytes, *, ends: bool) -> bytes:
    """Return the status of the first answer to what is sent; nothing for none. Where it `ends`, no more will come."""
    with socket.create_connection(server, timeout=TIMEOUT_S) as connection:
        with suppress(OSError):  # cut off while it was still being told
            connection.sendall(content)
            if ends:
                connection.shutdown(socket.SHUT_WR)
        answer = b""
        with suppress(ConnectionError):
            while len(answer) < 12 and (piece := connection.recv(12 - len(answer))):
                answer += piece
        return answer[9:]


@pytest.mark.parametrize("case", CASES)
def test_a_body_that_lies_is_refused(attacked: Victim, record: Callable[..., None], case: str) -> None:
    """Each has the status that fits, or is cut off."""
    content, statuses = CASES[case]
    assert first(attacked.http, content, ends=case in HALF) in statuses
    asked = {"model": "english", "input": "there will be dragons"}
    with httpx.Client(base_url="http://{}:{}".format(*attacked.http), timeout=TIMEOUT_S) as caller:
        assert caller.post("/v1/embeddings", json=asked).status_code == 200
    attacked.answers_right()
    growth = round(attacked.growth_mb)
    record("HTTP: bodies that lie", cases=len(CASES), growth_mb=growth, lost=0)
    assert growth < MAX_GROWTH_MB


def test_an_answer_to_each_of_many_in_a_row(attacked: Victim) -> None:
    """A thousand calls in one piece are answered each, in their order, though nobody waits for the one before."""
    calls = [json.dumps({"model": "english", "input": "dragon", "user": str(at)}).encode() for at in range(999)]
    with socket.create_connection(attacked.http, timeout=TIMEOUT_S) as connection:
        connection.sendall(b"".join(map(whole, calls)) + whole(_GOOD, "Connection: close"))
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 1000
    attacked.answers_right()
