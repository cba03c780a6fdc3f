"""Connections that there may be, shared by network: an IPv4 address, or half of an IPv6 one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.until import until

from .raw import Raw, framed
from .served import ROW, Served
from .test_refusals import said

Serve = Callable[..., Served]
Join = Callable[[Served, int], Raw]
MOST = 12
GREEDY, POLITE = 2, 3


@pytest.fixture
def join() -> Iterator[Join]:
    """Makes connections from 127.0.0.`place`, all of which end with the test."""
    with ExitStack() as stack:
        yield lambda served, place: stack.enter_context(Raw(served.port, source=f"127.0.0.{place}"))


def is_refused(connect: Callable[[], Raw]) -> bool:
    """Return True if the transport closes a connection before it says anything."""
    try:
        connect()
    except AssertionError:
        return True
    return False


def keep_busy(connection: Raw) -> None:
    """Begin a call that has not been answered."""
    connection.echo(b"busy")


def test_newcomers_of_other_networks_are_let_in_though_all_are_busy(serve: Serve, join: Join) -> None:
    """Ten of ten come in, each with an answer, while the greedy network asks for each place anew."""
    served = serve(max_connections=MOST)
    greedy = [join(served, GREEDY) for _ in range(MOST)]
    for connection in greedy:
        keep_busy(connection)
    busy = served.take_messages(MOST)
    for index in range(POLITE, POLITE + 10):
        with Raw(served.port, source=f"127.0.0.{index}") as newcomer:
            assert is_refused(lambda: join(served, GREEDY))
            response = newcomer.echo(b"x")
            served.transport.answer([served.take_messages()[0].id], [b"x"])
            newcomer.over(response)
            assert response.content == framed(b"x")
        until(lambda: served.figure("connections") < MOST)
        keep_busy(join(served, GREEDY))
        busy += served.take_messages()
    until(lambda: served.take_messages(0) is not None and len(served.gone) == 10)
    assert set(served.gone) <= {message.id for message in busy}


def test_who_gives_way_is_told_to_come_again(serve: Serve, join: Join) -> None:
    """The one of least use lately: its calls and its streams are refused, and no other's."""
    served = serve(max_connections=3)
    greedy = [join(served, GREEDY) for _ in range(3)]
    calls = []
    for index, connection in enumerate(greedy, 1):
        calls.append((connection.echo(b"x"), connection.call(ROW, framed(b"y"), ends=False)))
        until(lambda: served.figure("waiting") == 2 * index)  # noqa: B023  it is called at once
    greedy[0].echo(b"more")
    until(lambda: served.figure("waiting") == 7)
    join(served, POLITE)
    greedy[1].over(*calls[1])
    assert {said(call) for call in calls[1]} == {"connections"}
    assert greedy[1].goaway == (0, b"")
    served.transport.answer([message.id for message in served.take_messages(5)], [b"z"] * 5)
    for index in (0, 2):
        greedy[index].over(calls[index][0])
        assert calls[index][0].content == framed(b"z")


def test_an_idle_one_gives_way_before_a_busy_one(serve: Serve, join: Join) -> None:
    """An idle one is ended, however lately it was of use."""
    served = serve(max_connections=3)
    greedy = [join(served, GREEDY) for _ in range(3)]
    keep_busy(greedy[0])
    keep_busy(greedy[1])
    taken = served.take_messages(2)
    join(served, POLITE)
    greedy[2].drain()
    assert greedy[2].goaway == (0, b"")
    served.transport.answer([message.id for message in taken], [b"x", b"x"])
    assert served.figure("connections") == 3


def test_a_busy_one_gives_way_to_clearly_fewer_alone(serve: Serve, join: Join) -> None:
    """A newcomer of a network with more than half as many as the greediest is refused while all are busy."""
    served = serve(max_connections=7)
    for index in [GREEDY] * 4 + [POLITE] * 3:
        keep_busy(join(served, index))
    served.take_messages(7)
    assert is_refused(lambda: join(served, POLITE))
    assert served.figure("connections") == 7
    keep_busy(join(served, POLITE + 1))
    served.take_messages()
    assert served.figure("connections") == 7
