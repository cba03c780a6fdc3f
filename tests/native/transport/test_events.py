"""What is decided about connections and calls is kept for an operator: which kind, why, of which network, how often."""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.hostile import begun
from tests.support.until import TIMEOUT_S, until

from .raw import ECHO, Raw, framed
from .served import Served, listening
from .test_tls import show
from .web import GET, Web, Wire, post

LOOPBACK = bytes([127, 0, 0, 1])
HEADER_BOMB = [(f"x-{count}", "secret" * 200) for count in range(60)]


def kinds(served: Served) -> set[tuple[str, str | None]]:
    """What was decided so far, and of calls why."""
    return {(event.kind, event.refusal and event.refusal.name) for event in served.transport.events()}


def send(served: Served, content: bytes) -> None:
    """Say something over a connection, and stay until the other side ends it."""
    with Wire(served.port) as wire, suppress(ConnectionError):
        wire.say(content)
        while wire.socket.recv(4096):
            pass


def ping(served: Served) -> None:
    with Raw(served.port) as raw:
        for _ in range(2):
            raw.http.ping(b"12345678")
        raw.flush()
        raw.drain()


def stay(served: Served) -> None:
    """Connect, and answer no ping until the other side ends the connection."""
    with Raw(served.port) as raw:
        raw.reads = False
        until(lambda: served.figure("connections") == 0)


def read_nothing(served: Served) -> None:
    """Have a large answer made, and read none of it."""
    with Raw(served.port, reads=False, window=0) as raw:
        response = raw.echo(b"x" * 100_000)
        raw.wait(lambda: response.reset is not None)


def call(*headers: tuple[str, str], path: str = ECHO, content: bytes = b"x") -> Callable[[Served], None]:
    """Return what makes one call that is refused."""

    def act(served: Served) -> None:
        with Raw(served.port) as raw:
            response = raw.call(path, framed(content), headers=headers)
            raw.wait(lambda: response.is_over or response.reset is not None)

    return act


def wait_in_vain(served: Served) -> None:
    with Raw(served.port) as raw:
        response = raw.call(ECHO, ends=False, headers=[("grpc-timeout", "20m")])
        raw.over(response)


def shake_no_hands(served: Served) -> None:
    show(served)
    with socket.create_connection(("127.0.0.1", served.port), TIMEOUT_S) as plain, pytest.raises(ssl.SSLError):
        ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")


@pytest.mark.parametrize(
    ("act", "kind", "refusal", "limits"),
    [
        (call(), "left", None, {}),
        (lambda served: send(served, b"GARBAGE" * 10), "malformed", None, {}),
        (lambda served: send(served, begun()[:24] + bytes(9) * 3), "malformed", None, {}),
        (lambda served: send(served, b""), "slow", None, {"caller_timeout_s": 0.05}),
        (ping, "pinged", None, {"min_ping_s": TIMEOUT_S, "ping_strikes": 0}),
        (stay, "silent", None, {"keepalive_s": 0.05, "keepalive_timeout_s": 0.05}),
        (stay, "idle", None, {"idle_s": 0.05}),
        (stay, "old", None, {"age_s": 0.05, "age_grace_s": 0.05}),
        (read_nothing, "call_unread", None, {"stall_s": 0.05}),
        (shake_no_hands, "no_handshake", None, {}),
        (wait_in_vain, "call_expired", None, {}),
        (call(), "call_refused", "full", {"max_concurrent_requests": 0}),
        (call(path="/t.T/No"), "call_refused", "unknown", {}),
        (call(("content-type", "text/secret")), "call_refused", "malformed", {}),
        (call(*HEADER_BOMB), "call_refused", "headers", {}),
        (call(("x-line", "a\nsecret")), "call_reset", None, {}),
        (call(content=b"x" * 2000), "call_ended", "large", {"max_message_bytes": 1000}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_decided_is_kept(
    serve: Callable[..., Served], act: Callable[[Served], None], kind: str, refusal: str | None, limits: dict[str, Any]
) -> None:
    """Each stands in the ring, with its caller's network, and nothing that the caller has said."""
    served = serve(**limits).answering()
    act(served)
    until(lambda: (kind, refusal) in kinds(served))
    events = served.transport.events()
    [event] = [each for each in events if each.kind == kind]
    assert (event.network, event.listener) == (LOOPBACK, 0)
    assert event.count >= 1
    assert event.first <= event.last
    assert "secret" not in "".join(each.words for each in events)


def test_who_is_turned_away_and_who_gives_way(serve: Callable[..., Served]) -> None:
    """One more than there may be is of the network that has them all; one of another network takes a place."""
    served = serve(max_connections=2)
    with Raw(served.port) as first, Raw(served.port) as second:
        for raw in (first, second):
            raw.echo(b"busy")
        served.take_messages(2)
        with pytest.raises(AssertionError):
            Raw(served.port)
        with Raw(served.port, source="127.0.0.2"):
            found = {event.kind: event for event in served.transport.events()}
    assert (found["turned_away"].network, found["gave_way"].network) == (LOOPBACK, LOOPBACK)
    assert (found["turned_away"].connection, found["gave_way"].connection > 0) == (0, True)
    assert found["accepted"].network == bytes([127, 0, 0, 2])


def test_http_has_its_own_listener() -> None:
    """What llhttp won't read, what is too large, and a connection that its caller ends."""
    served = Web(max_message_bytes=1000).answering_requests()
    try:
        for content in (b"GARBAGE\r\n\r\n", post("/embed", bytes(2000)), GET):
            with Wire(served.http_port) as wire:
                wire.say(content).answer()
        wanted = {("call_refused", "malformed"), ("done", None), ("left", None), ("accepted", None)}
        until(lambda: kinds(served) >= wanted)
        assert {event.listener for event in served.transport.events()} == {1}
    finally:
        served.stop()


def test_answered_calls_leave_nothing(echo: Served) -> None:
    """Of a connection there are its begin and its end, however many calls it had."""
    with Raw(echo.port) as raw:
        for _ in range(20):
            raw.over(raw.echo(b"x"))
        assert kinds(echo) == {("accepted", None)}
    until(lambda: kinds(echo) == {("accepted", None), ("left", None)})


def test_a_socket_without_addresses_has_no_network(
    serve: Callable[..., Served], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    served = serve(listening("socket"))
    with Raw("socket"):
        [event] = served.transport.events()
    assert (event.kind, event.network) == ("accepted", b"")


def test_a_server_that_stops_says_so(serve: Callable[..., Served]) -> None:
    served = serve()
    with Raw(served.port):
        served.stop()
        assert ("stopped", None) in kinds(served)
