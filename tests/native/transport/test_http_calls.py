"""Calls of methods over HTTP: let in as gRPC's are, refused in prepared words, answered by whoever has the words."""

import gzip
import hashlib
from contextlib import ExitStack

import pytest

from tests.support.until import until

from .raw import ECHO, Raw, framed
from .web import EMBED, GET, OTHERS, PROBE, Web, Wire, post, web

METHOD = 3
"""Place of the method among the transport's."""
KEY = "Authorization: Bearer one"
DIGEST = hashlib.sha256(b"one").digest()
JSON = "Content-Type: application/json"


def refused(served: Web, content: bytes, wire: Wire | None = None) -> str:
    """Send a request; return by which refusal it is answered."""
    with ExitStack() as stack:
        wire = wire or stack.enter_context(Wire(served.http_port))
        status, headers, body = wire.say(content).answer()
        name = headers["x-refusal"]
        assert body == b"it is " + name.encode()
        assert status >= 400
        return name


def test_a_key_is_asked_for_before_the_body_is_read() -> None:
    """The application's own requests need none, and are told whose they are."""
    with web() as served, Wire(served.http_port) as wire:
        served.transport.set_keys({DIGEST: None})
        torn = post(EMBED, bytes(100))[:-100]
        assert refused(served, torn) == "no_key"
        assert refused(served, post(EMBED, b"{}", "Authorization: Bearer two")) == "unknown_key"
        wire.say(post(EMBED, b"{}", KEY))
        [call] = served.take_requests()
        assert (call.method, call.key) == (METHOD, DIGEST)
        served.respond(call)
        assert wire.answer()[0] == 200
        wire.say(GET)
        [request] = served.take_requests()
        assert (request.method, request.key) == (None, b"")
        served.respond(request)
        assert wire.answer()[0] == 200
        assert served.count() == [(METHOD, 16, "no_key"), (METHOD, 16, "unknown_key")]


def test_a_call_is_refused_in_the_words_of_its_api() -> None:
    """Here for the want of a key."""
    with web() as served, Wire(served.http_port) as wire:
        served.transport.set_keys({DIGEST: None})
        for path, words in ((EMBED, b""), (OTHERS, b", in others' words")):
            assert wire.say(post(path, b"{}")).answer()[2] == b"it is no_key" + words


@pytest.mark.parametrize("place", [0, 3])
def test_a_small_body_that_nobody_reads_ends_no_connection(place: int) -> None:
    """Callers come again once there is room: it is dropped, however it comes, and the next request is read."""
    with web() as served, Wire(served.http_port) as wire:
        served.transport.set_keys({DIGEST: None})
        for _ in range(3):
            whole = post(EMBED, b"hello")
            head = len(whole) - 5
            wire.say(whole[: head + place])
            assert wire.answer()[0] == 401
            wire.say(whole[head + place :] + post(EMBED, b"{}", KEY))
            [request] = served.take_requests()
            assert request.body == b"{}"
            served.respond(request)
            assert wire.answer()[0] == 200


def test_a_small_body_that_never_comes_is_waited_for_no_longer() -> None:
    with web(caller_timeout_s=0.3) as served, Wire(served.http_port) as wire:
        served.transport.set_keys({DIGEST: None})
        wire.say(post(EMBED, b"hello")[:-1])
        assert wire.answer()[0] == 401
        assert wire.is_closed()
        served.let_go(of_connections=True)


def test_each_door_has_methods_of_its_own() -> None:
    """What is POSTed to gRPC's path over HTTP is the application's, and HTTP's methods are unknown over gRPC."""
    with web() as served, Raw(served.port) as raw, Wire(served.http_port) as wire:
        unknown = [raw.call(path, framed(b"{}")) for path in (EMBED, PROBE)]
        raw.over(*unknown)
        assert [call.status for call in unknown] == ["12", "12"]
        wire.say(post(ECHO, b"{}"))
        [request] = served.take_requests()
        assert request.method is None
        served.respond(request)
        assert wire.answer()[0] == 200


def test_slots_are_shared_with_grpc() -> None:
    """A full server refuses calls by either door, and the application's own requests hold no slot."""
    with web(max_concurrent_requests=2) as served, Raw(served.port) as raw, Wire(served.http_port) as wire:
        raw.echo(b"x")
        wire.say(post(EMBED, b"{}"))
        [message], [request] = served.take_messages(), served.take_requests()
        assert refused(served, post(EMBED, b"{}")) == "full"
        with Wire(served.http_port) as other:
            other.say(GET)
            served.respond(served.take_requests()[0])
            assert other.answer()[0] == 200
        served.transport.answer([message.id], [b"y"])
        with Wire(served.http_port) as other:
            other.say(post(EMBED, b"{}"))
            served.respond(served.take_requests()[0])
            assert other.answer()[0] == 200
        served.respond(request)
        assert wire.answer()[0] == 200


def test_who_sends_slowly_gives_its_slot_up() -> None:
    with web(max_concurrent_requests=1, caller_timeout_s=0.2) as served, Wire(served.http_port) as slow:
        slow.say(post(EMBED, b"four")[:-1])
        until(lambda: served.figure("slots") == 1)
        until(lambda: served.figure("slots") == 0)
        assert slow.answer()[0] == 408
        assert served.count() == [(METHOD, 8, "slow")]


@pytest.mark.parametrize("seconds", ["0.05", "5e-2"])
def test_a_deadline_passes(seconds: str) -> None:
    """A call is told so whenever that is, and who has taken it is told too."""
    with web() as served, Wire(served.http_port) as wire:
        wire.say(post(EMBED, b"{}", f"X-Stainless-Read-Timeout: {seconds}"))
        [call] = served.take_requests()
        assert call.deadline is not None
        assert call.deadline - call.arrived == pytest.approx(0.05)
        status, headers, _ = wire.answer()
        assert (status, headers["x-refusal"]) == (504, "expired")
        until(lambda: served.take_requests(0) == [] and served.over == [call.id])
        wire.say(GET)
        served.respond(served.take_requests()[0])
        assert wire.answer()[0] == 200


@pytest.mark.parametrize("seconds", ["0", "-1"])
def test_a_deadline_that_has_passed_already(seconds: str) -> None:
    with web() as served:
        assert refused(served, post(EMBED, b"{}", f"X-Stainless-Read-Timeout: {seconds}")) == "expired"


@pytest.mark.parametrize("seconds", ["nan", "inf", "soon", ""])
def test_what_is_no_deadline_is_none(seconds: str) -> None:
    with web() as served, Wire(served.http_port) as wire:
        wire.say(post(EMBED, b"{}", f"X-Stainless-Read-Timeout: {seconds}"))
        [request] = served.take_requests()
        assert request.deadline is None


def test_a_server_that_stops_refuses_methods_alone() -> None:
    """What was accepted is waited for until its caller has the answer."""
    with web() as served, Wire(served.http_port) as wire, Wire(served.http_port) as torn:
        wire.say(post(EMBED, b"{}"))
        [accepted] = served.take_requests()
        torn.say(post(EMBED, b"four")[:-1])
        until(lambda: served.figure("slots") == 2)
        served.transport.drain()
        status, headers, _ = torn.answer()
        assert (status, headers["x-refusal"], headers["connection"]) == (503, "draining", "close")
        assert refused(served, post(EMBED, b"{}")) == "draining"
        with Wire(served.http_port) as other:
            other.say(GET)
            served.respond(served.take_requests()[0])
            assert other.answer()[0] == 200
        assert not served.transport.wait_idle(0.05)
        served.respond(accepted)
        assert wire.answer()[0] == 200
        assert served.transport.wait_idle(60)


def test_bodies_have_bounds() -> None:
    with web(max_message_bytes=1000, max_inflated_bytes=500) as served:
        assert refused(served, post(EMBED, bytes(1001))[:-1001]) == "large"
        chunks = b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + bytes(1001)
        assert refused(served, post(EMBED).replace(b"Content-Length: 0\r\n\r\n", chunks)) == "large"
        packed = gzip.compress(bytes(501))
        assert refused(served, post(EMBED, packed, "Content-Encoding: gzip")) == "inflated"
