"""Attacks that hold connections and calls: newcomers and neighbours are served all the same."""

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.support.until import TIMEOUT_S, until

from .raw import Raw
from .served import ROW, Served, framed
from .victim import Victim, attacked

# How much memory a process keeps of what it has freed is decided by what else runs, too.
pytestmark = pytest.mark.timing


def test_connections_that_are_held_keep_nobody_out(victim: Victim) -> None:
    """A newcomer to a transport whose connections are all held is let in once one of them has rested for a second."""
    with attacked(max_connections=40) as victim:
        attackers = [Raw(victim.port) for _ in range(39)]
        for attacker in attackers[:20]:
            attacker.call(ROW, ends=False)
        newcomers: list[Raw] = []

        def joins() -> bool:
            try:
                newcomers.append(Raw(victim.port))
            except AssertionError:
                return False
            return True

        victim.is_answered()
        until(joins)
        response = newcomers[0].echo(b"x")
        newcomers[0].over(response)
        assert response.content == framed(b"x")
        victim.is_answered()
        for one in (*attackers, *newcomers):
            one.__exit__()
        assert victim.slowest_s < TIMEOUT_S


def is_open(connection: Raw) -> bool:
    """Return True if a ping is answered."""
    before = connection.pings
    connection.http.ping(bytes(8))
    connection.flush()
    try:
        connection.wait(lambda: connection.pings > before)
    except AssertionError:
        return False
    return True


def test_who_holds_most_connections_gives_way(serve: Callable[..., Served]) -> None:
    """The idlest of the address that has the most, at once; and nobody to an address that has more."""
    served = serve(max_connections=6)
    with ExitStack() as stack:

        def join(place: int) -> Raw:
            return stack.enter_context(Raw(served.port, source=f"127.0.0.{place}"))

        polite, *greedy = [join(place) for place in (2, 3, 3, 3, 3, 3)]
        response = greedy[0].echo(b"x")  # of use more lately than the others
        served.transport.answer([served.take_messages()[0][0]], [b"x"])
        greedy[0].over(response)
        newcomer = join(4)
        assert [is_open(one) for one in (polite, newcomer, *greedy)] == [True, True, True, False, True, True, True]
        for one in (greedy[0], *greedy[2:]):
            one.echo(b"x")
        served.take_messages(4)
        with pytest.raises(AssertionError, match="closed"):
            join(3)
        assert is_open(polite)
