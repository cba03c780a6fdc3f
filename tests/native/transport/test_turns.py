"""Reading that nothing comes of: it takes a small part of the time, and each key is looked at once a call."""

import time
from collections.abc import Callable
from hashlib import sha256

import pytest

from tests.chaos.fields import entry
from tests.chaos.hostile import raw as frame

from .raw import ECHO, Raw, framed
from .served import Served
from .test_header_bombs import Caller
from .test_refusals import said

Serve = Callable[..., Served]
BYTE_S, RESTS, FREE_S = 3e-8, 16, 6e-4
"""Seconds that a byte counts which nothing comes of; those of rest for each; those that are free at first."""
MUCH = 60_000
PING, WINDOW_UPDATE, PRIORITY, UNKNOWN, ACK = 6, 8, 2, 0xFA, 1
IDLE = {
    "answers of pings": frame(PING, ACK, 0, bytes(8)),
    "windows": frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1"),
    "priorities": frame(PRIORITY, 0, 1, b"\0\0\0\0\0"),
    "unknown frames": frame(UNKNOWN, 0, 0, b""),
}
KEY, OTHER = "a key", "another key"


def test_frames_that_ask_for_nothing_have_their_connection_rest(serve: Serve) -> None:
    """A call behind them is read once they have had the part of the time that there is for them; others' at once."""
    served = serve().answering()
    for content in IDLE.values():
        with Raw(served.port) as greedy, Raw(served.port) as polite:
            before = served.figure("rests")
            flood = content * (MUCH // len(content))
            began = time.monotonic()
            greedy.socket.sendall(flood)
            asked = greedy.echo(b"x")
            answered = polite.echo(b"y")
            polite.over(answered)
            greedy.over(asked)
            assert time.monotonic() - began >= RESTS * (BYTE_S * len(flood) * 0.9 - FREE_S)
            assert asked.content == framed(b"x")
        assert served.figure("rests") > before


def test_headers_count_once_they_are_unpacked(serve: Serve) -> None:
    """An entry of HPACK's table, named again and again, has its connection rest for what it is unpacked to.

    All calls may have come at once, and are answered before the rest: what is asked afterwards has to wait for it.
    """
    served = serve(max_header_bytes=1 << 30).answering()
    with Raw(served.port) as raw:
        caller, named = Caller(raw), b"\xbe" * 100
        caller.call("/t.T/No", entry(b"x" * 2000, b"y" * 2000))
        began, calls = time.monotonic(), 12
        asked = [caller.call("/t.T/No", named) for _ in range(calls)]
        raw.over(*asked)
        assert {said(call) for call in asked} == {"unknown"}
        caller.is_answered()
        assert time.monotonic() - began >= RESTS * (calls * 100 * 4032 * 1e-9 - 2 * FREE_S)


def test_two_keys_of_one_call_are_no_key(serve: Serve) -> None:
    """The call is refused though both are good; the next one with one key is served."""
    served = serve().answering()
    served.transport.set_keys({sha256(KEY.encode()).digest(): None})
    with Raw(served.port) as raw:
        for keys, refusal in (
            ([KEY], None),
            ([KEY, KEY], "unknown_key"),
            ([OTHER], "unknown_key"),
            ([KEY], None),
            ([], "no_key"),
        ):
            response = raw.call(ECHO, framed(b"x"), headers=[("authorization", f"Bearer {key}") for key in keys])
            raw.over(response)
            assert said(response) == refusal


def test_a_key_that_was_taken_back_is_refused_on_a_connection_that_knows_it(serve: Serve) -> None:
    """A connection remembers what its key hashes to, and not that it is good."""
    served = serve().answering()
    with Raw(served.port) as raw:
        for digests, refusal in (([KEY], None), ([OTHER], "unknown_key"), ([KEY, OTHER], None)):
            served.transport.set_keys({sha256(key.encode()).digest(): None for key in digests})
            response = raw.call(ECHO, framed(b"x"), headers=[("authorization", f"Bearer {KEY}")])
            raw.over(response)
            assert said(response) == refusal


@pytest.mark.parametrize(("size", "header_size"), [(1, 0), (50_000, 0), (1, 15_000)])
def test_messages_pay_for_themselves(serve: Serve, size: int, header_size: int) -> None:
    """Twenty calls on one connection, short or long, with short or long headers, and it never rests."""
    served = serve().answering()
    with Raw(served.port) as raw:
        for number in range(20):
            headers = [("x-note", chr(97 + number) * header_size)]
            response = raw.call(ECHO, framed(b"x" * size), headers=headers)
            raw.over(response)
            assert response.content == framed(b"x" * size)
            assert served.figure("rests") == 0
