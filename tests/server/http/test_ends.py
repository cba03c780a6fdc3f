"""Ends of HTTP calls: the caller leaves, reads slowly or not at all, or the server stops."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from bothends.model.bundle import Bundle
from bothends.server.model_service import ModelService
from bothends.server.server import Server
from tests.support.clock import Clock
from tests.support.doors import serving, write_pair
from tests.support.gate import Gate
from tests.support.https import BY_PYTHON, answer_on, counted, of, posting
from tests.support.until import TIMEOUT_S, until

MANY = ["a dragon"] * 300
"""Sentences that wait while engines stand still."""


@pytest.fixture(scope="module")
def small(english: Bundle) -> Iterator[Server]:
    """A server with the usual limits."""
    with serving(english) as server:
        yield server


def test_a_caller_that_leaves_frees_its_places(small: Server, gate: Gate) -> None:
    """The places are free at once, as after a call over gRPC."""
    before = counted(small, "CANCELLED")
    body = of(MANY)
    gate.clear()
    connections = [posting(small, f"Content-Length: {len(body)}", body=body, path=BY_PYTHON) for _ in range(3)]
    until(lambda: gate.sentences(small) > 600)
    for connection in connections:
        connection.close()
    until(lambda: gate.sentences(small) == 0)
    until(lambda: counted(small, "CANCELLED") == before + 3)


@pytest.mark.slow
def test_who_breaks_an_upload_off_is_waited_for_no_more(toy_bundle: Bundle, patience: Clock) -> None:
    """The place in a full server is of somebody who still has it: that caller gives way."""
    with serving(toy_bundle, transport="grpcio", max_concurrent_requests=1) as server:  # natively C++ has that clock
        url = f"http://127.0.0.1:{server.http_port}/v1/embeddings"
        posting(server, "Content-Length: 10", body=b"[").close()
        until(lambda: counted(server, "CANCELLED") == 1)
        with closing(posting(server, "Content-Length: 10", body=b"[")) as slow:
            until(lambda: httpx.post(url, json={}).status_code == 429)
            patience.now = 1000.0
            assert httpx.post(url, json={}).status_code == 400
            assert answer_on(slow)[0] == 408


def test_what_was_accepted_is_answered_by_a_server_that_stops(english: Bundle, gate: Gate) -> None:
    """New calls get 503 meanwhile, and health goes on; then nothing listens."""
    body = of(MANY)
    with serving(english) as server, ThreadPoolExecutor(1) as other:
        gate.clear()
        accepted = posting(server, f"Content-Length: {len(body)}", body=body, path=BY_PYTHON)
        until(lambda: gate.sentences(server) > 200)
        stopped = other.submit(server.stop)
        base = f"http://127.0.0.1:{server.http_port}"
        until(lambda: httpx.get(f"{base}/readyz").status_code == 503)
        answer = httpx.post(f"{base}/v1/embeddings", json={"model": "english", "input": "a"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "server_stopping")
        assert answer.headers["retry-after"] == "1"
        assert httpx.get(f"{base}/healthz").status_code == 200
        assert not stopped.done()
        gate.set()
        with closing(accepted):
            status, told = answer_on(accepted)
        assert (status, len(json.loads(told)["data"])) == (200, len(MANY))
        assert stopped.result(timeout=TIMEOUT_S)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{base}/healthz")


@pytest.mark.parametrize("tls", [False, True])
def test_a_slow_reader_gets_all_of_what_was_accepted(
    english: Bundle, tmp_path: Path, tls: bool, drained: list[ModelService]
) -> None:
    """Six megabytes, of which the caller takes the first when the server has begun to stop."""
    body = of(["a dragon"] * 1000)
    write_pair(tmp_path, trustme.CA().issue_cert("127.0.0.1"))
    files: Any = {"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem"} if tls else {}
    with serving(english, **files) as server, ThreadPoolExecutor(1) as other:
        with closing(posting(server, f"Content-Length: {len(body)}", body=body, receives=4096, tls=tls)) as slow:
            until(lambda: counted(server, "OK") == 1)
            stopped = other.submit(server.stop)
            until(lambda: drained)
            assert not stopped.done()
            status, told = answer_on(slow)
        assert (status, len(json.loads(told)["data"])) == (200, 1000)
        assert stopped.result(timeout=TIMEOUT_S)
