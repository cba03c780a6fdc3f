"""HTTP/2 on HTTP's port, found by its preface or by ALPN, and TLS there."""

import json
import ssl
import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from tests.support.until import until

from .raw import ECHO, Raw, framed
from .test_tls import show, trusting
from .web import EMBED, GET, PROBE, Wire, post, told, web


def asked(
    raw: Raw, path: str = "/page", content: bytes | None = None, *, verb: str = "POST", **headers: str
) -> dict[str, Any]:
    """Return what the application saw of a request."""
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    response = raw.call(path, content, headers=[(":method", verb), *named])
    raw.over(response)
    assert response.headers[":status"] == "200"
    assert response.headers["content-length"] == str(len(response.content))
    found: dict[str, Any] = json.loads(response.content)
    return found


def test_requests_by_http2() -> None:
    """Host is what :authority says; bodies come by frames, and several requests of a connection at once."""
    with web() as served, Raw(served.http_port) as raw:
        served.answering_requests()
        seen = asked(raw, "/page?x", b"z" * 100_000, x_note="é")
        assert (seen["verb"], seen["target"], seen["version"]) == ("POST", "/page?x", "2")
        assert seen["body"] == "z" * 100_000
        assert ["host", "here"] in seen["headers"]
        responses = [raw.call("/page", b"%d" % number) for number in range(10)]
        raw.over(*responses)
        assert [json.loads(response.content)["body"] for response in responses] == [str(n) for n in range(10)]
        head = raw.call("/page", headers=[(":method", "HEAD")])
        raw.over(head)
        assert (head.headers[":status"], head.content) == ("200", b"")
        assert int(head.headers["content-length"]) > 0


@pytest.mark.parametrize("path", [EMBED, "/page"])
def test_a_connection_whose_only_request_was_slow_ends(path: str) -> None:
    """As over HTTP/1.1; one that has another goes on, for that and the next."""
    with web(caller_timeout_s=0.3) as served, Raw(served.http_port) as busy, Raw(served.http_port) as raw:
        waits = busy.call("/wait", headers=[(":method", "GET")])
        [waiting] = served.take_requests()
        for each in (busy, raw):
            slow = each.call(path, b"fou", ends=False)
            if path != EMBED:
                [request] = served.take_requests()
                assert not request.is_whole
                served.respond(request, status=408)
            each.over(slow)
            assert slow.headers[":status"] == "408"
        until(lambda: served.figure("http_connections") == 1)
        served.respond(waiting)
        busy.over(waits)
        again = busy.call("/again", headers=[(":method", "GET")])
        served.respond(served.take_requests()[0])
        busy.over(again)
        assert (waits.headers[":status"], again.headers[":status"]) == ("200", "200")


def test_who_expects_to_be_told_by_http2_is_told_once_the_body_is_wanted() -> None:
    """RFC 9110, 10.1.1: some proxies wait for it. Who is refused is not told so."""
    expects = ("expect", "100-continue")
    with web(max_message_bytes=1000) as served, Raw(served.http_port) as raw:
        served.answering_requests()
        waiting = raw.call("/page", ends=False, headers=[expects])
        raw.wait(lambda: waiting.informed)
        raw.send(waiting, b"hello", ends=True)
        large = raw.call(EMBED, ends=False, headers=[expects, ("content-length", "1001")])
        raw.over(waiting, large)
        assert (waiting.informed, json.loads(waiting.content)["body"]) == (["100"], "hello")
        assert (large.informed, large.headers[":status"]) == ([], "413")
        empty = raw.call("/page", headers=[expects])
        raw.over(empty)
        assert (empty.informed, empty.headers[":status"]) == ([], "200")


@pytest.mark.parametrize("kind", ["HTTP", "gRPC"])
def test_what_was_on_its_way_of_a_refused_call_keeps_no_other_of_its_connection_waiting(kind: str) -> None:
    """A proxy has many callers' calls on one: bytes that it sent before it knew of the refusal don't make it rest."""
    with web(max_message_bytes=1000) as served, Raw(served.http_port if kind == "HTTP" else served.port) as raw:
        for _ in range(2):
            if kind == "HTTP":
                large = raw.call(EMBED, ends=False, headers=[("content-length", str(1 << 20))])
            else:
                large = raw.call(ECHO, bytes([0, 0, 16, 0, 0]), ends=False)
            for _ in range(16):
                raw.http.send_data(raw.stream_of(large), bytes(16384))
            raw.flush()
            raw.over(large)
            assert large.reset == 0
        small = raw.call(ECHO, framed(b"x")) if kind == "gRPC" else raw.call(EMBED, b"{}")
        served.take_messages() if kind == "gRPC" else served.take_requests()
        assert not small.is_over
        assert served.figure("rests") == 0


def test_what_is_refused_by_http2_is_told_before_its_body_came() -> None:
    with web(max_message_bytes=1000) as served, Raw(served.http_port) as raw:
        large = raw.call(EMBED, ends=False, headers=[("content-length", "1001")])
        raw.over(large)
        assert (large.headers[":status"], large.headers["x-refusal"], large.reset) == ("413", "large", 0)
        served.transport.drain()
        refused = raw.call(EMBED, b"{}")
        raw.over(refused)
        assert (refused.headers[":status"], bytes(refused.content)) == ("503", b"it is draining")
        served.let_go()


def test_a_request_that_is_reset_is_over() -> None:
    with web() as served, Raw(served.http_port) as raw:
        response = raw.call(EMBED, b"{}")
        [request] = served.take_requests()
        raw.reset(response)
        until(lambda: served.take_requests(0) == [] and served.over == [request.id])
        served.let_go()


def test_both_protocols_by_tls() -> None:
    """Whoever offers neither is told so by TLS; whoever offers nothing speaks HTTP/1.1."""
    with web() as served:
        show(served, asks=True)  # which gRPC's listeners alone do
        served.answering_requests()
        for protocols, chosen in ((("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1"), ((), None)):
            context = trusting(protocols=protocols)
            if chosen == "h2":
                with Raw(served.http_port, context=context) as raw:
                    assert isinstance(raw.socket, ssl.SSLSocket)
                    assert raw.socket.selected_alpn_protocol() == "h2"
                    assert asked(raw, content=b"x")["body"] == "x"
            else:
                with Wire(served.http_port, context=context) as wire:
                    assert isinstance(wire.socket, ssl.SSLSocket)
                    assert wire.socket.selected_alpn_protocol() == chosen
                    for size in (1, 1 << 20):
                        assert len(json.loads(wire.say(post("/page", b"x" * size)).answer()[2])["body"]) == size
                    wire.say(GET * 100)
                    for _ in range(100):
                        assert wire.answer()[0] == 200
        assert all(request.is_encrypted for request in served.requests)
        with pytest.raises(ssl.SSLError):
            Wire(served.http_port, context=trusting(protocols=("spdy/3",)))


@pytest.mark.skipif(which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize("flags", [["--http1.1"], ["--http2-prior-knowledge"], ["--http2"]])
def test_curl(tmp_path: Path, flags: list[str]) -> None:
    """As a client that asks for an upgrade, expects to be told to go on, and sends chunks."""
    (tmp_path / "body").write_bytes(b"y" * 2_000_000)
    with web() as served:
        served.answering_requests()
        for more in ([], ["--header", "Transfer-Encoding: chunked"]) if "--http1.1" in flags else ([],):
            command = ["curl", "-sS", *flags, *more, "--data-binary", f"@{tmp_path / 'body'}"]
            done = subprocess.run(
                [*command, f"http://127.0.0.1:{served.http_port}/page"], capture_output=True, check=True
            )
            assert len(json.loads(done.stdout)["body"]) == 2_000_000


def test_told_is_what_a_probe_sees() -> None:
    with web() as served, Raw(served.http_port) as raw:
        response = raw.call(PROBE, headers=[(":method", "GET")])
        [request] = served.take_requests()
        assert request.method == 4
        served.respond(request, told(request))
        raw.over(response)
        assert json.loads(response.content)["verb"] == "GET"
