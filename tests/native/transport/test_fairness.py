"""Order in which messages are taken: callers by what they have had, messages by when they came."""

import time
from collections.abc import Callable

from tests.support.until import TIMEOUT_S, until

from .raw import Raw
from .served import Served

Serve = Callable[..., Served]


def taken(served: Served, most: int, max_bytes: int = 1 << 22) -> list[bytes]:
    batch = served.transport.take_messages(most, TIMEOUT_S, max_bytes)
    assert batch is not None
    return [message.content for message in batch.messages]


def test_a_batch_is_bounded_in_bytes(serve: Serve) -> None:
    """Long requests come in several batches, so that they aren't all in memory at once."""
    served = serve()
    with Raw(served.port) as raw:
        for _ in range(5):
            raw.echo(b"x" * 6000)
        until(lambda: served.figure("waiting") == 5)
        assert [len(taken(served, 100, 13_000)) for _ in range(3)] == [2, 2, 1]


def test_who_is_refused_is_read_no_more_for_a_while(serve: Serve) -> None:
    """Refusals take a small part of the time, however soon their callers ask again; others are read meanwhile."""
    served = serve(max_concurrent_requests=1, max_connection_requests=1000)
    with Raw(served.port) as greedy, Raw(served.port) as polite:
        greedy.echo(b"has the place")
        until(lambda: served.figure("slots") == 1)
        began = time.monotonic()
        refused = [greedy.echo(b"x") for _ in range(500)]
        greedy.over(*refused)
        refused.append(greedy.echo(b"x"))
        greedy.over(*refused)
        assert time.monotonic() - began >= 500 * 1e-4
        assert {response.message for response in refused} == {"it is full"}
        polite.over(polite.call("/t.T/No"))
