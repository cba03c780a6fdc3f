"""Bounds on calls: who is refused, with which words, and who gives way."""

import time
from collections.abc import Callable

import pytest

from tests.support.until import TIMEOUT_S, until

from .raw import ECHO, Raw, Response, framed
from .served import PROBE, STATUSES, Served

Serve = Callable[..., Served]


def said(response: Response) -> str | None:
    """The reason that a call was refused for."""
    return next((kind for kind, (_, words, _) in STATUSES.items() if words == response.message), None)


def test_headers_past_their_bound(serve: Serve) -> None:
    """RESOURCE_EXHAUSTED, wherever in them the bound is met, and the connection goes on."""
    served = serve(max_header_bytes=2000).answering()
    with Raw(served.port) as raw:
        for padding in ([("x-note", "n" * 2000)], [(f"x-{number}", "") for number in range(100)]):
            response = raw.call(ECHO, framed(b"x"), headers=padding)
            raw.over(response)
            assert said(response) == "headers"
        hidden = raw.call(
            ECHO, framed(b"x"), headers=[(":method", "POST"), (":scheme", "http"), (":path", "/" + "p" * 3000)]
        )
        raw.over(hidden)
        assert said(hidden) == "headers"
        answered = raw.echo(b"x")
        raw.over(answered)
    assert answered.status == "0"


def test_unread_answers_are_bounded_in_all_at_the_cost_of_the_greediest(serve: Serve) -> None:
    """The connection with the most unread is closed, and the other one still gets its answer."""
    served = serve(unread_total_bytes=50_000).answering()
    with Raw(served.port, reads=False, window=0) as deaf, Raw(served.port, reads=False, window=0) as less:
        kept = less.echo(b"x" * 10_000)
        for _ in range(6):
            deaf.echo(b"x" * 10_000)
        deaf.drain()
        until(lambda: served.figure("unread_bytes") == 10_005)
        less.http.increment_flow_control_window(1 << 20, less.stream_of(kept))
        less.flush()
        less.over(kept)


def test_who_reads_nothing_for_too_long_is_cut_off(serve: Serve) -> None:
    """A stream that nobody reads for too long is reset, and its connection goes on."""
    served = serve(stall_s=0.05).answering()
    with Raw(served.port, reads=False, window=10) as deaf:
        response = deaf.echo(b"x" * 1000)
        deaf.wait(lambda: response.reset is not None)
        assert response.reset == 8
        served.let_go()
        deaf.over(deaf.call("/t.T/No"))


def test_probes_are_taken_first_but_do_not_keep_all_else_waiting(serve: Serve) -> None:
    """However many there are."""
    served = serve()
    with Raw(served.port) as greedy, Raw(served.port) as polite:
        polite.echo(b"x")
        for _ in range(100):
            greedy.call(PROBE, framed(b"p"))
        until(lambda: served.figure("waiting") == 101)
        batch = served.transport.take_messages(8, TIMEOUT_S)
        assert batch is not None
        contents = [message.content for message in batch.messages]
    assert contents[0] == b"p"
    assert contents[-1] == b"x"
    assert len(contents) < 50


@pytest.mark.parametrize("max_wait", [0.25, 0.5])
def test_a_call_that_would_wait_for_too_much_of_its_time_is_refused(serve: Serve, max_wait: float) -> None:
    """For more than seven tenths of what the transport was told that it may; who has no deadline waits."""
    served, enough_s = serve(max_wait=max_wait), 1000 / max_wait / 0.7
    with Raw(served.port) as raw:
        served.transport.take_messages(0, 0.0, 1000.0)
        refused = raw.call(ECHO, framed(b"x"), headers=[("grpc-timeout", f"{0.9 * enough_s:.0f}S")])
        raw.over(refused)
        raw.call(ECHO, framed(b"y"), headers=[("grpc-timeout", f"{1.1 * enough_s:.0f}S")])
        raw.echo(b"z")
        assert said(refused) == "late"
        assert [message.content for message in served.take_messages(2)] == [b"y", b"z"]


def test_a_wait_that_was_told_passes(serve: Serve) -> None:
    """Who told it sleeps until something comes, and what comes then doesn't wait any more."""
    told_s, timeout_s = 0.2, 2 * TIMEOUT_S
    served = serve(max_wait=told_s / timeout_s)  # just told, the wait is more than seven tenths of what it may be
    served.transport.take_messages(0, 0.0, told_s)
    time.sleep(told_s)  # at least: once it has passed, it is over however late this thread goes on
    with Raw(served.port) as raw:
        raw.call(ECHO, framed(b"x"), headers=[("grpc-timeout", f"{timeout_s}S")])
        until(lambda: served.figure("waiting") == 1)
