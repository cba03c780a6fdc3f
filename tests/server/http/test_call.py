"""An HTTP call between its request and its answer: deadlines, places, threads and the event loop."""

import asyncio
import json
import socket
import statistics
import threading
import time
from collections.abc import MutableMapping
from contextlib import closing
from typing import Any, cast

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from bothends.core.embedder import Embedder
from bothends.model.bundle import Bundle
from bothends.server.http.call import BodyLimits, Handle, HttpInbound
from bothends.server.http.routes import Endpoint
from bothends.server.inbound import Inbound
from bothends.server.server import Server
from tests.support.doors import serving
from tests.support.gate import Gate
from tests.support.https import BY_PYTHON, answer_on, counted, of, posting
from tests.support.transports import IS_NATIVE
from tests.support.until import TIMEOUT_S, until

SHORT_S = 1.0
LONG_TEXT = "a man " * 1000
"""Text that is tokenised in the pool."""


def asked(handle: Handle) -> httpx.Response:
    """Ask for `/of/dragons`, which `handle` answers; no port is opened."""

    async def ask() -> httpx.Response:
        route = Route("/of/{name}", Endpoint({"GET": handle}, BodyLimits(1, 1), lambda code, status: b""))
        transport = httpx.ASGITransport(Starlette(routes=[route]))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
            return await asyncio.wait_for(http.get("/of/dragons"), TIMEOUT_S)

    return asyncio.run(ask())


def url_of(server: Server) -> str:
    return f"http://127.0.0.1:{server.http_port}"


def test_an_answer_may_take_longer_than_a_request_may(toy_bundle: Bundle, gate: Gate) -> None:
    """Connections that are silent, or idle, have come and gone; the one that waits for its answer gets it."""
    with serving(toy_bundle, caller_timeout_s=SHORT_S, http_idle_s=1, selftest_s=0) as server:
        body = json.dumps({"model": server.service.embedder.model.config.name, "input": ["a man"] * 300}).encode()
        gate.clear()
        with (
            closing(posting(server, f"Content-Length: {len(body)}", body=body, path=BY_PYTHON)) as waiting,
            closing(posting(server, "Content-Length: 2", body=b"[]")) as idle,
            closing(socket.create_connection(("127.0.0.1", server.http_port), TIMEOUT_S)) as silent,
        ):
            assert answer_on(idle)[0] == 400
            assert not IS_NATIVE or silent.recv(1) == b""
            assert idle.recv(1) == b""
            gate.set()
            status, answer = answer_on(waiting)
    assert status == 200
    assert len(json.loads(answer)["data"]) == 300


@pytest.mark.parametrize("timeout", ["600", "nan", "soon", "-inf"])
def test_a_caller_with_time_is_answered(server: Server, timeout: str) -> None:
    """Nonsense in the header of OpenAI's clients is no timeout."""
    headers = {"content-type": "application/json", "x-stainless-read-timeout": timeout}
    answer = httpx.post(f"{url_of(server)}/v1/embeddings", content=of(["a"]), headers=headers, timeout=TIMEOUT_S)
    assert answer.status_code == 200


@pytest.mark.parametrize("timeout", ["0", "0.05"])
def test_a_caller_learns_in_time_that_it_waits_too_long(server: Server, gate: Gate, timeout: str) -> None:
    """504 once its time is over, whether it was over at first or while the engine is busy."""
    headers = {"content-type": "application/json", "x-stainless-read-timeout": timeout}
    before = counted(server, "DEADLINE_EXCEEDED")
    gate.clear()
    answer = httpx.post(f"{url_of(server)}{BY_PYTHON}", content=of(["a"] * 300), headers=headers, timeout=TIMEOUT_S)
    assert answer.status_code == 504
    assert answer.json()["error"]["message"].startswith("the deadline ")
    assert answer.json()["error"]["code"] == "deadline_exceeded"
    until(lambda: counted(server, "DEADLINE_EXCEEDED") == before + 1)


def test_the_event_loop_is_free_while_a_long_text_is_read(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Health answers while a text is tokenised, however long that takes."""
    begin, begun, goes_on = Embedder.begin, threading.Event(), threading.Event()

    def held(*arguments: Any, **options: Any) -> Any:
        begun.set()
        assert goes_on.wait(TIMEOUT_S)
        return begin(*arguments, **options)

    monkeypatch.setattr(Embedder, "begin", held)
    body = of([LONG_TEXT], truncation="end")
    with closing(posting(server, f"Content-Length: {len(body)}", body=body, path=BY_PYTHON)) as connection:
        assert begun.wait(TIMEOUT_S)
        assert httpx.get(f"{url_of(server)}/healthz", timeout=TIMEOUT_S).status_code == 200
        goes_on.set()
        assert answer_on(connection)[0] == 200


@pytest.mark.timing
def test_an_answer_is_not_held_back(server: Server) -> None:
    """Nagle's algorithm would hold its end back for 40 ms, once a connection isn't new any more."""
    with httpx.Client(base_url=url_of(server), timeout=TIMEOUT_S) as http:

        def seconds() -> float:
            started = time.monotonic()
            assert http.get("/v1/models").status_code == 200
            return time.monotonic() - started

        assert statistics.median(seconds() for _ in range(60)) < 0.02


def test_a_call_whose_deadline_passed_is_over_before_its_caller_knows() -> None:
    """Its slots are free by then: whoever is told asks again."""
    told: list[str] = []

    async def ask() -> None:
        def unanswered(call: Inbound) -> None:
            call.on_cancelled(lambda: told.append("cancelled"))
            call.read(lambda _: None)

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                told.append(str(message["status"]))

        async def receive() -> MutableMapping[str, Any]:
            if body:
                return {"type": "http.request", "body": body.pop(), "more_body": False}
            never: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            return cast("MutableMapping[str, Any]", await never)  # its caller neither says anything nor leaves

        body = [b"{}"]
        headers = [(b"content-type", b"application/json"), (b"x-stainless-read-timeout", b"0.01")]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/",
            "headers": headers,
            "query_string": b"",
            "root_path": "",
        }
        call = HttpInbound(scope, BodyLimits(10, TIMEOUT_S), lambda code, status: b"")
        await asyncio.wait_for(call.serve(unanswered, receive, send), TIMEOUT_S)

    asyncio.run(ask())
    assert told == ["cancelled", "504"]


def test_a_get_may_be_answered_later_and_from_another_thread() -> None:
    """The empty body, which isn't read, isn't taken for its caller's leaving."""

    def later(call: Inbound) -> None:
        call.read(lambda content: threading.Timer(0.05, call.answer, [b'{"asked": "%s"}' % content]).start())

    assert asked(later).json() == {"asked": "dragons"}
