"""Attacks on HTTP/2 that were published: the process lives, a neighbour is answered, and little is held."""

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator

import pytest
from h2.settings import SettingCodes

from tests.chaos.fields import entry, unindexed
from tests.chaos.hostile import HEADERS, PREFACE, begun, raw
from tests.chaos.published import RESETTING
from tests.support.until import TIMEOUT_S, until

from .raw import ECHO, Raw, framed, several
from .served import ROW, Served
from .test_rfc9113 import CONNECTION, DATA, ENDS, GOAWAY, HEAD, PING, RESET, SETTINGS, WHOLE, number
from .victim import GIVE, Victim

MAX_MB = 2
"""What a process may hold more by what it does beside: all that such a connection sends is less than 1 MB."""
EXTENSION, PRIORITY_UPDATE = 0x16, 0x10
PAGE = unindexed([(":method", "GET"), (":scheme", "http"), (":path", "/page"), (":authority", "localhost")])


def named(path: str) -> bytes:
    """Headers of a call of that path, none of which comes into a table."""
    return unindexed([(name, path if name == ":path" else value) for name, value in HEADERS])


def told(connection: socket.socket, content: bytes) -> None:
    """Send as much of `content` as is taken, and read until a ping after it is answered, or the connection's end."""
    found = b""
    with contextlib.suppress(ConnectionError):
        connection.sendall(content + raw(PING, 0, 0, b"sentinel"))
        while b"sentinel" not in found and (piece := connection.recv(1 << 16)):
            found += piece


WRONG_SIZES = [
    raw(RESET, 0, 1, b""),
    raw(SETTINGS, 0, 0, bytes(3)),
    raw(PING, 0, 0, bytes(6)),
    raw(HEAD, 4, 3, bytes(17_000)),
]


def test_a_frame_of_a_wrong_size_after_a_connections_end(victim: Victim) -> None:
    """CVE-2026-27135: in one write with what ended it, as PRIORITY of no stream. nghttp2 aborted at that."""
    for sent, code in CONNECTION.values():
        for wrong in WRONG_SIZES if code is not None else ():
            with socket.create_connection(("127.0.0.1", victim.port), TIMEOUT_S) as connection:
                told(connection, begun(sent + wrong + wrong))
    victim.let_go()


STREAMS, CONNECTIONS, MAX_A_CALL_KB = 256, 8, 6
"""Calls of each connection, connections, and memory that one of the calls may hold."""
ZERO_WINDOW = raw(SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
BOMBS = {
    "a tiny field": entry(b"a", b"b") + b"\xbe" * 440,
    "crumbs of a cookie": b"\x60\x03a=b" + b"\xbe" * 350,
    "a large field": entry(b"x" * 2000, b"y" * 1900) + b"\xbe" * 3,
}
"""A field that comes into the table, and how often it is named by a byte: just within the bound on a call's headers."""


@pytest.mark.parametrize("kind", BOMBS)
@pytest.mark.parametrize("is_http", [False, True], ids=["grpc", "http"])
def test_headers_that_are_named_by_bytes_under_a_window_of_nothing(victim: Victim, kind: str, is_http: bool) -> None:
    """The bomb of 2026: whole calls whose answers can't go. Of answered ones nothing is held but their answer."""
    head, content = (PAGE, b"") if is_http else (named(ECHO), framed(b"x"))
    before, kept_mb = victim.vitals()["calls_begun"], victim.kept_mb
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS):
            port = victim.http_port if is_http else victim.port
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), TIMEOUT_S))
            connection.sendall(PREFACE + ZERO_WINDOW + b"".join(bombs(head, BOMBS[kind], content)))
        until(lambda: victim.vitals()["calls_begun"] - before == CONNECTIONS * STREAMS)
        until(lambda: not any(victim.vitals()[name] for name in ("requests", "waiting", "taken")))
        victim.is_answered()
        assert (victim.kept_mb - kept_mb) * 1000 < MAX_A_CALL_KB * CONNECTIONS * STREAMS
    victim.let_go()


def bombs(head: bytes, field: bytes, content: bytes) -> Iterator[bytes]:
    """Calls with that field, which the first one has come into the table."""
    references = field[field.index(b"\xbe") :]
    for stream in range(1, 2 * STREAMS, 2):
        block = head + (field if stream == 1 else references)
        yield raw(HEAD, WHOLE if content else WHOLE | ENDS, stream, block)
        if content:
            yield raw(DATA, ENDS, stream, content)


@pytest.mark.parametrize("is_http", [False, True], ids=["grpc", "http"])
def test_thousands_of_fields_named_by_bytes(victim: Victim, is_http: bool) -> None:
    """Calls of 60,000 fields each: refused by a part of them, and read a small part of the time."""
    head = PAGE if is_http else named(ECHO)
    port = victim.http_port if is_http else victim.port
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection, contextlib.suppress(OSError):
        rests, kept_mb = victim.vitals()["rests"], victim.kept_mb
        connection.sendall(PREFACE + ZERO_WINDOW + raw(HEAD, 0, 1, head + entry(b"a", b"b")))
        for _ in range(4):
            connection.sendall(raw(9, 0, 1, b"\xbe" * 15_000))
        until(lambda: victim.vitals()["rests"] > rests)
        victim.is_answered()
        assert victim.kept_mb - kept_mb < MAX_MB
    victim.let_go()


@pytest.mark.parametrize("has_left", [False, True], ids=["at once", "after GOAWAY"])
@pytest.mark.parametrize("kind", RESETTING)
def test_calls_that_have_themselves_reset(serve: Callable[..., Served], kind: str, has_left: bool) -> None:
    """MadeYouReset (CVE-2025-8671): no more work waits than a connection may have calls, however many are begun."""
    served, resetting = serve(), RESETTING[kind]
    opened = raw(HEAD, WHOLE, 1, named(ROW)) + (raw(GOAWAY, 0, 0, bytes(8)) if has_left else b"")
    calls = (
        raw(HEAD, WHOLE, stream, named(ECHO)) + raw(DATA, ENDS, stream, framed(b"x")) + resetting(stream)
        for stream in range(3, 2003, 2)
    )
    with socket.create_connection(("127.0.0.1", served.port), TIMEOUT_S) as connection:
        told(connection, begun(opened, *calls))
        assert served.figure("calls") <= STREAMS
        assert len(served.look(10_000, 0.0)[0]) <= STREAMS
    served.let_go(of_connections=True)


FLOODS: dict[str, bytes] = {
    "frames of an unknown kind": raw(EXTENSION, 0xFF, 0, b""),
    "long frames of an unknown kind": raw(EXTENSION, 0, 1, bytes(16_384)),
    "PRIORITY_UPDATE": raw(PRIORITY_UPDATE, 0, 0, number(1) + b"u=0, i"),
    "PRIORITY_UPDATE of no stream": raw(PRIORITY_UPDATE, 0, 0, number(0)),
    "a header table that grows and shrinks": b"".join(
        raw(SETTINGS, 0, 0, struct.pack(">HI", 1, size)) for size in (2**32 - 1, 0)
    ),
}


@pytest.mark.parametrize("kind", FLOODS)
@pytest.mark.parametrize("is_http", [False, True], ids=["grpc", "http"])
def test_floods_that_ask_for_nothing(victim: Victim, kind: str, is_http: bool) -> None:
    """They end their connection, or it is read a small part of the time; nothing is held for them."""
    frames = FLOODS[kind] * (500_000 // len(FLOODS[kind]))
    rests, kept_mb = victim.vitals()["rests"], victim.kept_mb
    with socket.create_connection(("127.0.0.1", victim.http_port if is_http else victim.port), TIMEOUT_S) as connection:
        connection.setblocking(False)
        with contextlib.suppress(OSError):
            connection.send(begun(frames))
        until(lambda: victim.vitals()["rests"] > rests or is_over(connection))
        victim.is_answered()
        assert victim.kept_mb - kept_mb < MAX_MB
    victim.let_go()


def is_over(connection: socket.socket) -> bool:
    """Read what has come, and say whether that was the end."""
    try:
        while connection.recv(1 << 16):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        pass
    return True


def test_a_callers_header_table_may_grow_and_shrink(echo: Served) -> None:
    """Its size is followed at each call, up to what is kept of a table in any case."""
    with Raw(echo.port) as caller:
        for size in (0, 1, 2**32 - 1, 4096, 64, 2**31) * 20:
            caller.http.update_settings({SettingCodes.HEADER_TABLE_SIZE: size})
            response = caller.echo(b"x")
            caller.over(response)
            assert (response.status, response.content) == ("0", framed(b"x"))


@pytest.mark.parametrize("content", [b"x", b""], ids=["of a byte", "of nothing"])
def test_what_comes_late_of_a_refused_call_cuts_nobody_off(echo: Served, content: bytes) -> None:
    """A caller may have sent much before they hear that: DATA by the ten thousand, of which nghttp2 counts each."""
    with Raw(echo.port) as caller:
        refused, going_on = caller.call("/t.T/No", ends=False), caller.call(ROW, ends=False)
        caller.over(refused)
        for response in (refused, going_on if not content else refused):
            caller.socket.sendall(raw(DATA, 0, caller.stream_of(response), content) * 12_000)
        response = caller.echo(b"y")
        caller.over(response)
        assert (response.status, caller.goaway) == ("0", None)


def test_a_connection_holds_no_room_for_what_it_was_sent(victim: Victim) -> None:
    """What waited until its caller read it leaves nothing behind once they have."""
    kept_mb, size = victim.kept_mb, 200_000
    with several(victim.port, 40, window=1 << 20, receives=4096) as callers:
        for caller in callers:
            caller.http.increment_flow_control_window(1 << 20)
        answers = [caller.echo(GIVE + b"%d" % size) for caller in callers]
        until(lambda: victim.vitals()["unread_bytes"] > 0 and not victim.vitals()["taken"])
        for caller, answer in zip(callers, answers, strict=True):
            caller.over(answer)
            assert len(answer.content) == size + len(framed(b""))
        # Two to four megabytes come and go with the process's threads; where rooms are kept it is more than ten.
        assert victim.kept_mb - kept_mb < 5
    victim.let_go()
