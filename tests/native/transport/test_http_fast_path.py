"""Plain calls over HTTP are answered without Python; all others are the application's, and none a worker's."""

import json
from collections.abc import Iterator

import pytest
from bothends_native.transport import Codec, Hosts, Truncation
from google.rpc import code_pb2, status_pb2

from bothends.server.http.failure import failure, render_error
from tests.support.until import until

from .fast import VERSION, encoder_of, named, path_of
from .web import EMBED, GET, PROBE, Web, Wire, post, web

METHOD = 3
"""Place of the method among the transport's."""
JSON = "Content-Type: application/json"


@pytest.fixture
def fast() -> Iterator[Web]:
    """A transport with a fast path of its method, which is asked now and then."""
    with web(hosts=Hosts(["known.example"], takes_addresses=True)) as served:
        codec = Codec.openai(models=[named("m", shown='"m"', version=f'"{VERSION}"')], truncation=Truncation.start)
        served.path = path_of(served, encoder_of(), codec=codec, method=METHOD, max_bytes=400)
        yield served


def take(served: Web) -> None:
    served.path.take_messages(64, 0.2, 1 << 20, 1)


BODY = json.dumps({"model": "m", "input": ["a b", "man"]}).encode()


def test_a_plain_call_is_answered_without_python(fast: Web) -> None:
    """Its slot is free by then, and what was cut is told."""
    with Wire(fast.http_port) as wire:
        for body, cut in ((BODY, None), (json.dumps({"model": "m", "input": "a " * 20}).encode(), "1")):
            wire.say(post(EMBED, body, "Content-Type: application/json; charset=utf-8"))
            until(lambda: fast.figure("waiting") == 1)
            take(fast)
            status, headers, answer = wire.answer()
            assert (status, headers["content-type"], headers.get("x-truncated-inputs")) == (
                200,
                "application/json",
                cut,
            )
            assert json.loads(answer)["object"] == "list"
    assert fast.figure("slots") == 0
    [told, _] = fast.path.served()
    assert list(told.seconds) == [METHOD]


def test_marks_within_a_text_end_none(fast: Web) -> None:
    """A call is as small as its texts are few, whatever marks a person's words have."""
    quoted = {"model": "m", "input": ["a b"], "user": 'who said "a", "b", "c" and "d", all of them [sic]'}
    with Wire(fast.http_port) as wire:
        wire.say(post(EMBED, json.dumps(quoted).encode(), JSON))
        until(lambda: fast.figure("waiting") == 1)
        take(fast)
        [told] = fast.path.served()
        assert len(told.seconds[METHOD]) == 1
        assert wire.answer()[0] == 200


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        (EMBED + "?x=1", []),
        ("/v1/%65mbeddings", []),
        (EMBED, ["Content-Type: text/plain"]),
        (EMBED, [JSON, JSON]),
        (EMBED, [JSON, "Origin: http://known.example"]),
        (EMBED, [JSON, "Content-Encoding: br"]),
        (EMBED, [JSON, "X-Stainless-Read-Timeout: soon"]),
    ],
)
def test_what_is_odd_is_the_applications(fast: Web, path: str, lines: list[str]) -> None:
    """It holds a slot all the same: the application does the work that C++ would have done."""
    with Wire(fast.http_port) as wire:
        wire.say(post(path, BODY, *lines))
        [request] = fast.take_requests()
        assert (request.method, request.body, fast.figure("slots")) == (METHOD, BODY, 1)
        fast.respond(request)
        assert wire.answer()[0] == 200


@pytest.mark.parametrize("path", [EMBED + "#x", EMBED + "%23", "#" + EMBED, PROBE + "#"])
def test_a_path_with_a_hash_is_another(fast: Web, path: str) -> None:
    """It is no method's and no probe's, as the application routes it: nothing is let in by its slot, or past it."""
    with Wire(fast.http_port) as wire:
        wire.say(post(path, BODY, JSON) if EMBED in path else GET.replace(b"/page", path.encode()))
        if path.startswith("#"):
            assert wire.answer()[0] == 400
            return
        [request] = fast.take_requests()
        assert (request.method, request.target) == (None, path.encode())
        assert (fast.figure("slots"), fast.figure("requests")) == (0, 1)
        fast.respond(request, status=404)
        assert wire.answer()[0] == 404


def test_a_plain_call_asks_for_a_known_host(fast: Web) -> None:
    """Those of this machine, addresses and names that were given, with a port or without."""
    known = (
        *("localhost:8080", "LOCALHOST.", "x.localhost", "known.example", "Known.Example:443"),
        *("192.0.2.1:80", "[2001:db8::1]:80"),
    )
    others = (
        *("", "evil.example", "evillocalhost", "known.example.evil.example"),
        *("known.example:x", "known.example@evil.example", "[::1"),
    )
    with Wire(fast.http_port) as wire:
        for host in known + others:
            wire.say(post(EMBED, BODY, JSON).replace(b"Host: localhost", b"Host: " + host.encode()))
            if host in known:
                until(lambda: fast.figure("waiting") == 1)
                take(fast)
            else:
                fast.respond(fast.take_requests()[0])
            assert wire.answer()[0] == 200, host


@pytest.mark.parametrize("body", [b"no json", b'{"model": "other", "input": "a"}', b'{"input": []}'])
def test_what_a_fast_path_declines_is_passed_on(fast: Web, body: bytes) -> None:
    """Head and all; the workers' own messages are none of it."""
    with Wire(fast.http_port) as wire:
        wire.say(post(EMBED, body, JSON, "X-Note: kept"))
        until(lambda: fast.figure("waiting") == 1)
        take(fast)
        [request] = fast.take_requests()
        assert (request.method, request.body) == (METHOD, body)
        assert (b"x-note", b"kept") in request.headers
        fast.respond(request)
        assert wire.answer()[0] == 200
    assert fast.figure("slots") == 0


def test_whoever_asks_without_a_fast_path_leaves_http_to_the_application(fast: Web) -> None:
    with Wire(fast.http_port) as wire:
        wire.say(post(EMBED, BODY, JSON))
        until(lambda: fast.figure("waiting") == 1)
        assert fast.look(64, 0.1) == ([], [])
        [request] = fast.take_requests()
        assert request.body == BODY
        fast.transport.fail([request.id], [(13, 'no "good"\n', b"")])
        status, _, told = wire.answer()
        assert (status, json.loads(told)) == (500, {"error": {"message": 'no "good"\n', "code": 500}})


def test_a_status_is_said_as_python_says_it(fast: Web) -> None:
    """By the HTTP status that Python has for gRPC's, and in its words for what no front says."""
    with Wire(fast.http_port) as wire:
        for code in (code for name, code in code_pb2.Code.items() if name != "OK"):
            wire.say(post(EMBED, BODY, JSON))
            until(lambda: fast.figure("waiting") == 1)
            assert fast.look(64, 0.0) == ([], [])
            fast.transport.fail([fast.take_requests()[0].id], [(code, "it hung", b"")])
            said = failure(status_pb2.Status(code=code, message="it hung"), render_error)
            status, _, told = wire.answer()
            assert (status, told) == (said.code, said.content), code
