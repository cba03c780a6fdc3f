"""Bounds on calls: who is refused, with which words, and who gives way."""

from collections.abc import Callable

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
