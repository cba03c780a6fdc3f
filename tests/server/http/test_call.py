"""An HTTP call's bounds in bytes and time: at each and past it."""

import asyncio
import json
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from bothends.model.bundle import Bundle
from bothends.server.http.call import BodyLimits, HttpFront
from bothends.server.inbound import Inbound
from bothends.server.server import Server
from tests.support.doors import TIMEOUT_S, serving
from tests.support.https import answer_on, counted, of, posting
from tests.support.until import until

SHORT_S = 0.6
MOST_BYTES = 1 << 20
LONG_TO_READ = ["!" * 60_000] * 17
"""A second of work for the tokenizer."""


@pytest.fixture(scope="module")
def small(english: Bundle) -> Iterator[Server]:
    """A server whose limits are near, and whose engine takes seconds for long sentences."""
    near: dict[str, Any] = {"max_message_bytes": MOST_BYTES, "handshake_s": SHORT_S, "http_idle_s": 1}
    with serving(english, engine="onnxruntime", **near) as server:
        yield server


@pytest.fixture
def small_http(small: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{small.http_port}", timeout=TIMEOUT_S) as connected:
        yield connected


def test_bytes_of_a_body(small_http: httpx.Client) -> None:
    """At the limit and one past it; JSON may be followed by spaces."""
    for size, status in ((MOST_BYTES, 200), (MOST_BYTES + 1, 413)):
        headers = {"content-type": "application/json"}
        answer = small_http.post("/v1/embeddings", content=of(["a"]).ljust(size), headers=headers)
        assert answer.status_code == status
    assert answer.json()["error"]["message"] == "the request's body has more than this server's limit of 1048576 bytes"


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(small: Server) -> None:
    """Where its length is announced; and once too much has come where it isn't."""
    with closing(posting(small, f"Content-Length: {MOST_BYTES + 1}")) as connection:
        assert answer_on(connection)[0] == 413
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with closing(posting(small, "Transfer-Encoding: chunked", body=piece * 17)) as connection:
        assert answer_on(connection)[0] == 413
    with closing(posting(small, "Expect: 100-continue", f"Content-Length: {MOST_BYTES + 1}")) as connection:
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_half_a_body(small: Server) -> None:
    """Who sends no more is told after his time, and disconnected; who leaves leaves nothing behind."""
    before = counted(small, "CANCELLED")
    posting(small, "Content-Length: 100", body=b'{"model"').close()
    until(lambda: counted(small, "CANCELLED") == before + 1)
    started = time.monotonic()
    with closing(posting(small, "Content-Length: 100", body=b'{"model"')) as connection:
        status, told = answer_on(connection)
        assert status == 408
        assert "didn't come within 0.6 s" in told
        assert connection.recv(1) == b""
    assert SHORT_S * 0.9 <= time.monotonic() - started < SHORT_S + 5


def test_a_slow_body_does_not_keep_others_waiting(small: Server, small_http: httpx.Client) -> None:
    body = of(["a"])
    with closing(posting(small, f"Content-Length: {len(body)}", body=body[:1])) as connection:
        assert small_http.post("/v1/embeddings", json={"model": "english", "input": "a"}).status_code == 200
        connection.sendall(body[1:])
        assert answer_on(connection)[0] == 200


def test_an_answer_may_take_longer_than_a_request_may(small: Server) -> None:
    """The time for a request to come, and for an idle connection, is over; the caller still waits."""
    started = time.monotonic()
    body = of(["word " * 250] * 800, encoding_format="base64")
    with closing(posting(small, f"Content-Length: {len(body)}", body=body)) as connection:
        status, told = answer_on(connection)
    assert status == 200
    assert len(json.loads(told)["data"]) == 800
    assert time.monotonic() - started > 2 * SHORT_S


@pytest.mark.parametrize(
    ("timeout", "sentences", "told"),
    [
        ("600", ["a"], None),
        *((nonsense, ["a"], None) for nonsense in ("nan", "inf", "soon", "1e999", "-inf")),
        ("0", ["a"], "the deadline had passed before the call was looked at"),
        ("0.05", LONG_TO_READ, "the deadline passed before the "),  # sentences are tokenised, or the answer is ready
    ],
)
def test_who_says_how_long_he_waits_is_told_in_time(
    small: Server, small_http: httpx.Client, timeout: str, sentences: list[str], told: str | None
) -> None:
    """504 once that is over, as OpenAI's clients say their timeout. Nonsense is no timeout."""
    headers = {"content-type": "application/json", "x-stainless-read-timeout": timeout}
    before = counted(small, "DEADLINE_EXCEEDED")
    answer = small_http.post("/v1/embeddings", content=of(sentences), headers=headers)
    assert answer.status_code == (504 if told else 200)
    if told:
        assert answer.json()["error"]["message"].startswith(told)
        assert answer.json()["error"]["code"] == "deadline_exceeded"
    assert counted(small, "DEADLINE_EXCEEDED") == before + bool(told)


def test_a_full_server(toy_bundle: Bundle) -> None:
    """429 while its only place is taken, and when to come again."""
    with serving(toy_bundle, max_concurrent_requests=1) as server:
        taken = posting(server, "Content-Length: 10")
        url = f"http://127.0.0.1:{server.http_port}/v1/embeddings"
        with closing(taken):
            until(lambda: httpx.post(url, json={}).status_code == 429)
            answer = httpx.post(url, json={})
            assert (answer.json()["error"]["code"], answer.headers["retry-after-ms"]) == ("server_overloaded", "100")
        until(lambda: httpx.post(url, json={}).status_code == 400)


def test_the_event_loop_is_free_while_a_long_text_is_read(small: Server, small_http: httpx.Client) -> None:
    """Health answers while seconds of tokenising go on."""
    body = of(LONG_TO_READ)
    with closing(posting(small, f"Content-Length: {len(body)}", body=body)) as connection:
        done = threading.Event()
        reader = threading.Thread(target=lambda: (answer_on(connection), done.set()))
        reader.start()
        answered = 0
        while not done.is_set():
            assert small_http.get("/healthz").status_code == 200
            answered += 1
        reader.join()
    assert answered > 20


def test_an_answer_is_not_held_back(small_http: httpx.Client) -> None:
    """With Nagle its end would wait 40 ms for the caller to acknowledge, once a connection isn't new any more."""

    def seconds() -> float:
        started = time.monotonic()
        assert small_http.get("/v1/models").status_code == 200
        return time.monotonic() - started

    assert statistics.median(seconds() for _ in range(60)) < 0.02


def test_a_get_may_be_answered_later_and_from_another_thread() -> None:
    """Its empty body, which nobody reads, isn't taken for its caller's leaving."""

    def later(call: Inbound) -> None:
        call.read(lambda content: threading.Timer(0.05, call.answer, [b'{"asked": "%s"}' % content]).start())

    async def ask() -> httpx.Response:
        route = HttpFront(BodyLimits(1, 1), lambda code, status: b"").route("/of/{name}", GET=later)
        transport = httpx.ASGITransport(Starlette(routes=[route]))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
            return await asyncio.wait_for(http.get("/of/dragons"), TIMEOUT_S)

    assert asyncio.run(ask()).json() == {"asked": "dragons"}
