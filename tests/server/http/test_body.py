"""Bodies of HTTP requests: bounds on their bytes and on the time that they take to come."""

import gzip
from collections.abc import Iterator
from contextlib import ExitStack, closing

import httpx
import pytest

from bothends.model.bundle import Bundle
from bothends.server.budget import ByteBudget
from bothends.server.http.call import BodyLimits
from bothends.server.server import Server
from tests.support.doors import serving
from tests.support.https import answer_on, counted, of, posting
from tests.support.transports import IS_NATIVE
from tests.support.until import TIMEOUT_S, until

SHORT_S = 0.6
MAX_BYTES = 1 << 20


@pytest.fixture(scope="module")
def small(english: Bundle) -> Iterator[Server]:
    """A server that takes small bodies."""
    with serving(english, max_message_bytes=MAX_BYTES) as server:
        yield server


@pytest.fixture
def hasty(english: Bundle) -> Iterator[Server]:
    """A server whose callers have little time."""
    with serving(english, caller_timeout_s=SHORT_S) as server:
        yield server


def test_bytes_of_a_body(small: Server) -> None:
    """One at the limit fits, one past it doesn't; JSON may be followed by spaces."""
    url = f"http://127.0.0.1:{small.http_port}/v1/embeddings"
    for size, status in ((MAX_BYTES, 200), (MAX_BYTES + 1, 413)):
        headers = {"content-type": "application/json"}
        answer = httpx.post(url, content=of(["a"]).ljust(size), headers=headers, timeout=TIMEOUT_S)
        assert answer.status_code == status
    assert answer.json()["error"]["message"] == "the request's body has more than this server's limit of 1048576 bytes"


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(small: Server) -> None:
    """A body is refused at once if its length is announced; and once too much has come if it isn't."""
    with closing(posting(small, f"Content-Length: {MAX_BYTES + 1}")) as connection:
        assert answer_on(connection)[0] == 413
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with closing(posting(small, "Transfer-Encoding: chunked", body=piece * 17)) as connection:
        assert answer_on(connection)[0] == 413
    with closing(posting(small, "Expect: 100-continue", f"Content-Length: {MAX_BYTES + 1}")) as connection:
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_half_a_body(small: Server, hasty: Server) -> None:
    """A caller that sends no more is answered after its time, and disconnected; one that leaves is counted."""
    before = counted(small, "CANCELLED")
    posting(small, "Content-Length: 100", body=b'{"model"').close()
    until(lambda: counted(small, "CANCELLED") == before + 1)
    with closing(posting(hasty, "Content-Length: 100", body=b'{"model"')) as connection:
        status, told = answer_on(connection)
        assert status == 408
        assert "didn't come within 0.6 s" in told
        assert not IS_NATIVE or connection.recv(1) == b""


def test_a_slow_body_does_not_keep_others_waiting(server: Server) -> None:
    """The first byte comes, another call is answered, and then the rest comes."""
    body = of(["a"])
    with closing(posting(server, f"Content-Length: {len(body)}", body=body[:1])) as connection:
        url = f"http://127.0.0.1:{server.http_port}/v1/embeddings"
        assert httpx.post(url, json={"model": "english", "input": "a"}, timeout=TIMEOUT_S).status_code == 200
        connection.sendall(body[1:])
        assert answer_on(connection)[0] == 200


def test_bytes_of_all_bodies_that_come(english: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest of who sends the most is told to come again where too many are on their way, and others go on."""
    budget = ByteBudget(300_000)
    monkeypatch.setattr(BodyLimits, "of", lambda _: BodyLimits(1 << 20, TIMEOUT_S, budget))
    with serving(english, transport="grpcio") as server, ExitStack() as stack:  # natively that is C++'s
        half = [
            stack.enter_context(closing(posting(server, "Content-Length: 1000000", body=b"[" + b" " * size)))
            for size in (120_000, 160_000)
        ]
        until(lambda: budget.held_bytes == 280_002)
        url = f"http://127.0.0.1:{server.http_port}/v1/embeddings"
        headers = {"content-type": "application/json"}
        answer = httpx.post(url, content=of(["a"]).ljust(100_000), headers=headers, timeout=TIMEOUT_S)
        assert answer.status_code == 200
        status, told = answer_on(half[1])
        assert (status, "come again" in told) == (429, True)
        until(lambda: server.service.concurrency.inside == 1)


GZIPPED = {"content-type": "application/json", "content-encoding": "gzip"}
WHOLE = gzip.compress(of(["a"]))


def test_a_compressed_body_is_inflated(small: Server) -> None:
    """Its answer is that of the same body as it is, whatever the case in which its encoding is written."""
    url = f"http://127.0.0.1:{small.http_port}/v1/embeddings"
    plain = httpx.post(url, content=of(["a"]), headers=GZIPPED | {"content-encoding": "identity"}, timeout=TIMEOUT_S)
    for name in ("gzip", "GZIP"):
        answer = httpx.post(url, content=WHOLE, headers=GZIPPED | {"content-encoding": name}, timeout=TIMEOUT_S)
        assert (answer.status_code, answer.content) == (200, plain.content)


@pytest.mark.parametrize(
    ("content", "status", "told"),
    [
        (gzip.compress(of(["a"]).ljust(MAX_BYTES)), 200, '"object":"list"'),
        (gzip.compress(of(["a"]).ljust(MAX_BYTES + 1)), 413, "limit of 1048576 bytes once it is inflated"),
        (gzip.compress(bytes(100 * MAX_BYTES)), 413, "once it is inflated"),
        (WHOLE[:-1], 400, "aren't valid gzip"),
        (WHOLE + b"x", 400, "aren't valid gzip"),
        (WHOLE + WHOLE, 400, "aren't valid gzip"),
        (of(["a"]), 400, "aren't valid gzip"),
        (b"", 400, "aren't valid gzip"),
    ],
    ids=["at the limit", "past it", "far past it", "half", "more", "two", "none", "nothing"],
)
def test_what_a_compressed_body_becomes(small: Server, content: bytes, status: int, told: str) -> None:
    """It is bounded as it is inflated, and nothing is guessed where it isn't one whole."""
    url = f"http://127.0.0.1:{small.http_port}/v1/embeddings"
    answer = httpx.post(url, content=content, headers=GZIPPED, timeout=TIMEOUT_S)
    assert answer.status_code == status
    assert told in answer.text


def test_other_encodings_are_not_known(small: Server, english: Bundle) -> None:
    url = f"http://127.0.0.1:{small.http_port}/v1/embeddings"
    answer = httpx.post(url, content=b"x", headers=GZIPPED | {"content-encoding": "br"}, timeout=TIMEOUT_S)
    assert (answer.status_code, "send the JSON as it is, or by gzip" in answer.text) == (415, True)
    with serving(english, compression=False) as server:
        url = f"http://127.0.0.1:{server.http_port}/v1/embeddings"
        answer = httpx.post(url, content=WHOLE, headers=GZIPPED, timeout=TIMEOUT_S)
    assert (answer.status_code, "'gzip' isn't known here; send the JSON as it is\"" in answer.text) == (415, True)
