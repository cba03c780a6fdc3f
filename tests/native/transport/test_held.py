"""Memory that requests hold, and who gives way where there is too much of it."""

import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.support.until import until

from .raw import Raw, Response
from .served import ECHO, PROBE, ROW, Served, framed
from .test_refusals import said

Serve = Callable[..., Served]


def half_sent(connection: Raw, size: int) -> Response:
    """Begin a message of a stream that is a byte short."""
    return connection.call(ROW, framed(b"x" * size)[:-1], ends=False)


def test_the_network_that_holds_max_gives_way(serve: Serve) -> None:
    """Half-sent messages of many connections, each of which holds little, keep out no larger one of another's."""
    served = serve(held_total_bytes=100_000)
    with ExitStack() as stack:
        greedy = [stack.enter_context(Raw(served.port, source="127.0.0.2")) for _ in range(3)]
        polite = stack.enter_context(Raw(served.port, source="127.0.0.3"))
        calls = [half_sent(connection, 30_000) for connection in greedy]
        until(lambda: served.figure("held_bytes") > 89_000)
        response = polite.echo(b"y" * 45_000)
        [message] = served.take_messages()
        served.transport.answer([message.id], [b"z"])
        polite.over(response)
        assert response.content == framed(b"z")
        until(lambda: served.figure("calls") == 1)
        for connection in greedy:
            connection.http.ping(bytes(8))
            connection.flush()
            connection.wait(lambda: connection.pings)  # noqa: B023  it is called at once
        assert [said(call) for call in calls].count("room") == 2


def test_a_message_that_stands_still_gives_way_first(serve: Serve) -> None:
    """A message of which nothing came for the longest gives way, though others of its network hold more."""
    served = serve(held_total_bytes=100_000)
    with Raw(served.port) as first, Raw(served.port) as second, Raw(served.port) as third:
        stalled = half_sent(first, 20_000)
        until(lambda: served.figure("held_bytes") > 19_000)
        going = half_sent(second, 50_000)
        until(lambda: served.figure("held_bytes") > 69_000)
        time.sleep(1.1)  # longer than a message may stand still where its bytes are wanted
        response = third.echo(b"y" * 40_000)
        first.over(stalled)
        assert said(stalled) == "room"
        served.transport.answer([served.take_messages()[0].id], [b"z"])
        third.over(response)
        assert response.content == framed(b"z")
        assert not going.is_over
        second.send(going, b"x")
        assert served.take_messages()[0].content == b"x" * 50_000


@pytest.mark.parametrize("path", [ECHO, ROW, PROBE])
def test_a_message_that_stands_still_ends(serve: Serve, path: str) -> None:
    """A message that has begun ends once it has stood still for as long as a handshake may take; its streams go on."""
    served = serve(caller_timeout_s=0.3)
    with Raw(served.port) as raw:
        waiting = raw.call(ROW, framed(b"whole"), ends=False)
        served.take_messages()
        stalled = raw.call(path, framed(b"x" * 1000)[:-1], ends=False)
        raw.over(stalled)
        assert said(stalled) == "slow"
        assert not waiting.is_over
        raw.send(waiting, framed(b"more"))
        assert served.take_messages()[0].content == b"more"
        until(lambda: served.figure("held_bytes") == 0)
