"""Waits in take: each caller until there is something that it may take, however much there is for others."""

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.until import TIMEOUT_S, until

from .raw import Raw, framed
from .served import PROBE, ROW, Served

Serve = Callable[..., Served]


def test_who_may_take_nothing_waits(serve: Serve) -> None:
    """A message in line doesn't end the wait of one who wants none, who would ask again at once."""
    served = serve()
    with Raw(served.port) as raw:
        raw.echo(b"x")
        until(lambda: served.figure("waiting") == 1)
        began = time.monotonic()
        assert served.look(0, 0.2) == ([], [])
        assert time.monotonic() - began >= 0.2
        assert len(served.take_messages()) == 1


def test_who_may_take_nothing_is_told_of_what_is_over(serve: Serve) -> None:
    """Callers that have left, and probes, end the wait at once."""
    served = serve()
    with Raw(served.port) as raw, Raw(served.port) as other:
        left = raw.echo(b"left")
        [taken] = served.take_messages()
        other.echo(b"waits")
        raw.reset(left)
        assert served.look(0, TIMEOUT_S) == ([], [taken.id])
        raw.call(PROBE, framed(b"p"))
        batch = served.transport.take_messages(0, TIMEOUT_S)
        assert batch is not None
        assert [message.content for message in batch.messages] == [b"p"]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_each_that_is_roused_returns(serve: Serve, count: int) -> None:
    """Each of them, however soon one is roused after the other, whether it sleeps or looks at the sockets."""
    served = serve()
    takers = [threading.Thread(target=served.transport.take_messages, args=(1, TIMEOUT_S)) for _ in range(count)]
    for taker in takers:
        taker.start()
        until(partial(sleeps, taker))
    for _ in takers:
        served.transport.wake()
    for taker in takers:
        taker.join(TIMEOUT_S / 2)
    assert not any(taker.is_alive() for taker in takers)


def sleeps(thread: threading.Thread) -> bool:
    """Return True if a thread waits, most often for what it is there for."""
    state = Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(") ")[2]
    return state.startswith("S")


@pytest.mark.parametrize("order", [(0, 0, 1), (0, 1, 0), (1, 0, 0)])
@pytest.mark.parametrize("how", ["comes", "is freed"])
def test_one_who_may_take_a_message_has_it_whoever_else_waits(
    serve: Serve, order: tuple[int, int, int], how: str
) -> None:
    """Two want no message, in whatever order the three came: they are woken by none, and the third is."""
    served = serve(window_messages=1)
    found: list[object] = []
    ended: list[int] = []

    def take_messages(most: int) -> None:
        batch = served.transport.take_messages(most, TIMEOUT_S)
        assert batch is not None
        found.extend(message.content for message in batch.messages)
        ended.append(most)

    takers = [threading.Thread(target=take_messages, args=(most,)) for most in order]
    with Raw(served.port) as raw:
        first = raw.call(ROW, framed(b"first", b"second"), ends=False) if how == "is freed" else None
        ids = [message.id for message in served.take_messages()] if first else []
        for taker in takers:
            taker.start()
            until(partial(sleeps, taker))
        if first:
            served.transport.answer(ids, [b"answer"])  # and the stream has room for its second
        else:
            raw.echo(b"second")
        takers[order.index(1)].join(TIMEOUT_S / 2)
        assert (found, ended) == ([b"second"], [1])
        served.transport.wake()
        served.transport.wake()
        for taker in takers:
            taker.join(TIMEOUT_S)
        assert ended == [1, 0, 0]
