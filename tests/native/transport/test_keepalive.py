"""Keepalive, both ways: peers that are gone are noticed, and those that ask too often are told so."""

import time
from collections.abc import Callable
from functools import partial

from tests.support.until import TIMEOUT_S, until

from .raw import Raw, framed
from .served import ROW, Served

Serve = Callable[..., Served]
CALM = 11


def test_a_peer_that_answers_no_ping_is_closed(serve: Serve) -> None:
    """Calls of a peer that answers no ping end with its connection."""
    served = serve(keepalive_s=0.05, keepalive_timeout_s=0.05)
    with Raw(served.port) as raw:
        raw.call(ROW, ends=False)
        until(lambda: served.figure("calls_begun") == 1)
        served.let_go(of_connections=True)
    assert served.count() == [(1, 1, "")]


def test_a_peer_that_answers_pings_stays(serve: Serve) -> None:
    """However long it says nothing else, and although its first answer comes late."""
    served = serve(keepalive_s=0.02, keepalive_timeout_s=2 * TIMEOUT_S).answering()
    with Raw(served.port) as raw:
        received = served.figure("received_bytes")
        late = time.monotonic() + 0.1
        until(lambda: time.monotonic() > late)
        while served.figure("received_bytes") < received + 5 * 17:  # five answers to pings
            raw.read()
        response = raw.echo(b"x")
        raw.over(response)
    assert response.content == framed(b"x")


def test_calls_end_with_a_connection_that_pinged_too_often(serve: Serve) -> None:
    """None is left open in the transport."""
    served = serve(min_ping_s=TIMEOUT_S, ping_strikes=0)
    with Raw(served.port) as raw:
        raw.call(ROW, ends=False)
        until(lambda: served.figure("calls") == 1)
        for _ in range(2):
            raw.http.ping(b"12345678")
        raw.flush()
        raw.drain()
        assert raw.goaway == (CALM, b"too_many_pings")
        served.let_go()
    assert served.count() == [(1, 1, "")]


def test_pings_beside_answers_are_no_strikes(serve: Serve) -> None:
    """Clients ping to measure the connection while it is used."""
    served = serve(min_ping_s=TIMEOUT_S, ping_strikes=1).answering()
    with Raw(served.port) as raw:
        for count in range(1, 11):
            raw.http.ping(b"12345678")
            raw.over(raw.echo(b"x"))
            raw.wait(partial(lambda count: raw.pings == count, count))
        assert raw.goaway is None
