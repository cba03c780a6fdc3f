"""Memory that requests hold: their bytes, and what each message and each header costs besides its own."""

from collections.abc import Callable

import pytest

from tests.support.until import until

from .raw import Raw
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
        ids = [message[0] for message in served.take(10)]
        left = served.figure("waiting")
        assert served.figure("held_bytes") == left * MESSAGE
        raw.reset(calls[-1])
        until(lambda: served.figure("held_bytes") == (left - 1) * MESSAGE)
        ids += [message[0] for message in served.take(int(left) - 1)]
        assert served.figure("held_bytes") == 0
        served.front.answer(ids, [b""] * len(ids))
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
