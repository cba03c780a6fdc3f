"""Memory that requests hold: their bytes, and what each message and each header costs besides its own."""

import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.support.until import until

from .raw import Raw, Response
from .served import ECHO, PROBE, ROW, Served, framed
from .test_refusals import said

Serve = Callable[..., Served]
MESSAGE, HEADER = 256, 64
COUNT = 30


@pytest.mark.parametrize("path", [ECHO, ROW, PROBE])
def test_empty_messages_cost_something(serve: Serve, path: str) -> None:
    """Each costs its keeping until it is taken; nothing is left of that then, nor of those whose callers leave."""
    served = serve()
    with Raw(served.port) as raw:
        calls = [raw.call(path, framed(b"")) for _ in range(COUNT)]
        until(lambda: served.figure("waiting") == COUNT)
        assert served.figure("held_bytes") == COUNT * MESSAGE
        ids = [message[0] for message in served.take_messages(10)]
        left = served.figure("waiting")
        assert served.figure("held_bytes") == left * MESSAGE
        raw.reset(calls[-1])
        until(lambda: served.figure("held_bytes") == (left - 1) * MESSAGE)
        ids += [message[0] for message in served.take_messages(int(left) - 1)]
        assert served.figure("held_bytes") == 0
        served.transport.answer(ids, [b""] * len(ids))
        raw.over(*calls[:-1])
        served.let_go()


def test_empty_headers_cost_something(serve: Serve) -> None:
    """Wanted ones, however often they come, until their call is over."""
    served = serve()
    with Raw(served.port) as raw:
        response = raw.call(ROW, ends=False, headers=[("x-note", "")] * COUNT)
        until(lambda: served.figure("calls") == 1)
        assert served.figure("held_bytes") == COUNT * HEADER
        raw.reset(response)
        served.let_go()


@pytest.mark.parametrize("path", [ECHO, ROW])
def test_empty_messages_are_bounded_by_connection(serve: Serve, path: str) -> None:
    """Refused once too many wait, as large ones are."""
    served = serve(held_bytes=10 * MESSAGE)
    with Raw(served.port) as raw:
        calls = [raw.call(path, framed(b"")) for _ in range(COUNT)]
        raw.over(*calls[10:])
        assert {said(call) for call in calls[10:]} == {"full"}
        assert not any(call.is_over for call in calls[:10])
        assert served.figure("held_bytes") == 10 * MESSAGE


def test_empty_messages_are_bounded_in_all(serve: Serve) -> None:
    """The greediest connection has to give, and its neighbour's message is taken."""
    served = serve(held_total_bytes=20 * MESSAGE)
    with Raw(served.port) as polite, Raw(served.port) as greedy:
        answered = polite.echo(b"")
        until(lambda: served.figure("waiting") == 1)
        calls = [greedy.echo(b"") for _ in range(COUNT)]
        greedy.wait(lambda: sum(call.is_over for call in calls) == COUNT - 19)
        assert served.figure("held_bytes") == 20 * MESSAGE
        assert not answered.is_over


def half_sent(connection: Raw, size: int) -> Response:
    """Begin a message of a stream that is a byte short."""
    return connection.call(ROW, framed(b"x" * size)[:-1], ends=False)


def test_the_network_that_holds_most_gives_way(serve: Serve) -> None:
    """Half-sent messages of many connections, each of which holds little, keep out no larger one of another's."""
    served = serve(held_total_bytes=100_000)
    with ExitStack() as stack:
        greedy = [stack.enter_context(Raw(served.port, source="127.0.0.2")) for _ in range(3)]
        polite = stack.enter_context(Raw(served.port, source="127.0.0.3"))
        calls = [half_sent(connection, 30_000) for connection in greedy]
        until(lambda: served.figure("held_bytes") > 89_000)
        response = polite.echo(b"y" * 45_000)
        [message] = served.take_messages()
        served.transport.answer([message[0]], [b"z"])
        polite.over(response)
        assert response.content == framed(b"z")
        until(lambda: served.figure("calls") == 1)
        for connection in greedy:
            connection.http.ping(bytes(8))
            connection.flush()
            connection.wait(lambda: connection.pings)  # noqa: B023  it is called at once
        assert [said(call) for call in calls].count("full") == 2


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
        assert said(stalled) == "full"
        served.transport.answer([served.take_messages()[0][0]], [b"z"])
        third.over(response)
        assert response.content == framed(b"z")
        assert not going.is_over
        second.send(going, b"x")
        assert served.take_messages()[0][2] == b"x" * 50_000


@pytest.mark.parametrize("path", [ECHO, ROW, PROBE])
def test_a_message_that_stands_still_ends(serve: Serve, path: str) -> None:
    """A message that has begun ends once it has stood still for as long as a handshake may take; its streams go on."""
    served = serve(handshake_s=0.3)
    with Raw(served.port) as raw:
        waiting = raw.call(ROW, framed(b"whole"), ends=False)
        served.take_messages()
        stalled = raw.call(path, framed(b"x" * 1000)[:-1], ends=False)
        raw.over(stalled)
        assert said(stalled) == "slow"
        assert not waiting.is_over
        raw.send(waiting, framed(b"more"))
        assert served.take_messages()[0][2] == b"more"
        until(lambda: served.figure("held_bytes") == 0)
