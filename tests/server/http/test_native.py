"""Requests of a transport, as an ASGI application has them: answered once, told of a caller's leaving, let go of."""

import asyncio
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from google.rpc import code_pb2, status_pb2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bothends.server.http.call import BodyLimits, HttpInbound
from bothends.server.http.native import NativeWebServer
from bothends.server.http.routes import Endpoint
from bothends.server.inbound import Inbound
from tests.support.requests import Asked, HandHeldTransport, Response
from tests.support.until import TIMEOUT_S, until

ENDED: list[str] = []
WORKS_S = 0.01


async def echo(request: Request) -> JSONResponse:
    scope = {name: request.scope[name] for name in ("method", "path", "http_version", "scheme", "client")}
    body = (await request.body()).decode()
    return JSONResponse({**scope, "query": request.url.query, "body": body, "x": request.headers.get("x")})


async def dear(request: Request) -> PlainTextResponse:
    """Use another thread for a quarter of a second, and this one for a while."""
    call = HttpInbound(request.scope, BodyLimits(1, 1), lambda code, status: b"")
    assert not call.times.begin()  # this thread is measured already
    await asyncio.to_thread(call.charge, 0.25)
    ends = time.thread_time() + WORKS_S
    while time.thread_time() < ends:  # in the step that answers
        pass
    return PlainTextResponse("")


async def broken(_: Request) -> JSONResponse:
    raise ValueError("SECRET")


class Nothing:
    """An application that answers nothing."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pass


class Endless:
    """An application that waits until its caller has left."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
            ENDED.append("left")
        except asyncio.CancelledError:
            ENDED.append("cancelled")
            raise


APP = Starlette(
    routes=[
        Route("/echo", echo, methods=["GET", "POST"]),
        Route("/broken", broken),
        Route("/dear", dear),
        Route("/nothing", Nothing()),
        Route("/endless", Endless()),
    ]
)
OTHER = Starlette(routes=[Route("/", lambda _: PlainTextResponse("another listener's"))])


@pytest.fixture
def transport() -> Iterator[HandHeldTransport]:
    made: Any = HandHeldTransport()
    ENDED.clear()
    server = NativeWebServer(made, {0: APP, 2: OTHER})
    server.start()
    yield made
    server.stop()


def answer(transport: HandHeldTransport, request: Asked) -> Response:
    transport.put(request)
    response = transport.responses.get(timeout=TIMEOUT_S)
    assert response.id == request.id
    return response


def test_a_request_is_the_applications(transport: HandHeldTransport) -> None:
    """Path and query are parted, and the path is read as it is meant; headers and body are as they came."""
    request = Asked(b"/%65cho?a=%20b", "POST", [(b"x", b"\xe9")], b"body", version="2", is_encrypted=True)
    status, headers, body = answer(transport, request)[1:]
    assert (status, dict(headers)) == (200, {b"content-type": b"application/json"})
    told = b'{"method":"POST","path":"/echo","http_version":"2","scheme":"https","client":["127.0.0.1",1],'
    assert body == told + '"query":"a=%20b","body":"body","x":"é"}'.encode()


def test_its_caller_pays_for_what_it_used_before_it_is_answered(transport: HandHeldTransport) -> None:
    """All that the event loop's thread used, and what other threads say that they have."""
    request = Asked(b"/dear")
    answer(transport, request)
    assert 0.25 + WORKS_S <= transport.charged[request.id] < 0.25 + 100 * WORKS_S


def test_each_listener_has_its_application(transport: HandHeldTransport) -> None:
    assert answer(transport, Asked(listener=2)).body == b"another listener's"
    assert answer(transport, Asked(listener=0)).status == 404


def test_what_every_response_has_is_left_to_the_transport(transport: HandHeldTransport) -> None:
    """It writes the length, which HEAD has without a body, and never twice."""
    for verb in ("GET", "HEAD"):
        _, status, headers, body = answer(transport, Asked(listener=2, verb=verb))
        assert (status, body) == (200, b"another listener's")
        assert list(headers) == [(b"content-type", b"text/plain; charset=utf-8")]


@pytest.mark.parametrize("path", [b"/broken", b"/nothing"])
def test_a_bug_is_told_to_its_caller_alone(
    transport: HandHeldTransport, caplog: pytest.LogCaptureFixture, path: bytes
) -> None:
    """What the error says may hold a caller's words: neither the caller nor the log has them. Others are answered."""
    transport.put(Asked(path), other := Asked(b"/echo"))
    found = {response.id: response for response in (transport.responses.get(timeout=TIMEOUT_S) for _ in range(2))}
    assert found.pop(other.id).status == 200
    [bug] = found.values()
    assert (bug.status, bug.body) == (500, b"Internal Server Error")
    assert "SECRET" not in caplog.text
    assert bool([record for record in caplog.records if record.levelno == logging.ERROR]) == (path == b"/broken")


def test_a_caller_that_leaves_is_told_of(transport: HandHeldTransport) -> None:
    request = Asked(b"/endless")
    transport.put(request)
    transport.put(over=(request.id, 12345))
    until(lambda: ENDED == ["left"])
    assert transport.responses.empty()


def test_who_left_before_is_told_of_at_once(transport: HandHeldTransport) -> None:
    request = Asked(b"/endless")
    transport.put(request, over=(request.id,))
    until(lambda: ENDED == ["left"])


def test_a_stop_ends_what_is_open(caplog: pytest.LogCaptureFixture) -> None:
    transport: Any = HandHeldTransport()
    server = NativeWebServer(transport, {0: APP})
    server.start()
    ENDED.clear()
    transport.put(Asked(b"/endless"))
    answer(transport, Asked(b"/echo"))
    server.stop()
    assert ENDED == ["cancelled"]
    server.stop()
    assert not caplog.records


def test_a_transport_that_has_stopped_has_no_more_requests(transport: HandHeldTransport) -> None:
    transport.put(Asked(b"/endless"))
    transport.close()
    until(lambda: ENDED == ["cancelled"])


def served(request: Asked, limits: BodyLimits, *, handle: Any = None, admitted: Any = None) -> Response:
    """What is said to a request of a front's route."""
    transport: Any = HandHeldTransport()
    words = lambda code, status: f"{code} {status.message}".encode()  # noqa: E731
    endpoint = Endpoint({"POST": handle}, limits, words, admitted={"POST": admitted})
    server = NativeWebServer(transport, {0: Starlette(routes=[Route("/it", endpoint)])})
    server.start()
    try:
        return answer(transport, request)
    finally:
        server.stop()


JSON = (b"content-type", b"application/json")


@pytest.mark.parametrize(
    ("headers", "body", "said"),
    [
        ([JSON, (b"content-length", b"100")], b"{", b"408 the request's body didn't come within 7 s"),
        ([JSON], b"{", b"408 the request's body didn't come within 7 s"),
        ([JSON, (b"content-length", b"101")], b"", b"413 the request's body has more than this server's limit of 100"),
        ([JSON], bytes(101), b"413 the request's body has more than this server's limit of 100"),
        ([(b"content-length", b"101")], b"", b"415 there is no content-type"),
    ],
)
def test_half_a_body_is_told_what_it_lacks(headers: Any, body: bytes, said: bytes) -> None:
    """The transport gives up a body that is late or too large; the words are those of ever."""

    def handle(call: Inbound) -> None:
        def read(content: bytes | None) -> None:
            assert content is None
            assert isinstance(call, HttpInbound)
            call.fail(status_pb2.Status(code=code_pb2.INVALID_ARGUMENT))

        call.read(read)

    found = served(Asked(b"/it", "POST", headers, body, is_whole=False), BodyLimits(100, 7), handle=handle)
    assert found.body.startswith(said)
    assert found.status == int(said[:3])


def test_what_the_transport_knows_of_a_call() -> None:
    """A call that it has let in has a handler of its own, and comes with its key, its time, and when it came."""
    seen = []

    def handle(call: Inbound) -> None:
        seen.append((call.key, call.deadline, call.arrived))
        call.read(lambda content: call.answer(content or b""))

    far = 1e12
    headers = [JSON, (b"authorization", b"Bearer x"), (b"x-stainless-read-timeout", b"1")]
    asked = Asked(b"/it", "POST", headers, b"{}", method=3, key=b"digest", arrived=5.0, deadline=far)
    assert served(asked, BodyLimits(100, 7), admitted=handle).body == b"{}"
    assert seen == [(b"digest", far, 5.0)]
