"""Bounds on calls: who is refused, with which words, and who gives way."""

import time
from collections.abc import Callable

import pytest

from tests.support.until import TIMEOUT_S, until

from .raw import Raw, Response
from .served import ECHO, PROBE, ROW, STATUSES, Served, framed

Serve = Callable[..., Served]
CODES = {kind: str(code) for kind, (code, _, _) in STATUSES.items()}


def said(response: Response) -> str | None:
    """The reason that a call was refused for."""
    return next((kind for kind, (_, words, _) in STATUSES.items() if words == response.message), None)


def test_one_call_more_than_there_are_places(serve: Serve) -> None:
    """A call past the limit is refused before its request is read; an answer frees a place."""
    served = serve(max_calls=3)
    with Raw(served.port) as raw:
        calls = [raw.echo(b"x") for _ in range(3)]
        taken = served.take_messages(3)
        refused = raw.call(ECHO, ends=False)
        raw.over(refused)
        assert said(refused) == "full"
        assert refused.headers["grpc-status-details-bin"]
        served.transport.answer([message[0] for message in taken], [b"y"] * 3)
        raw.over(*calls)
        last = raw.echo(b"z")
        served.transport.answer([served.take_messages()[0][0]], [b"Z"])
        raw.over(last)
    assert last.content == framed(b"Z")
    assert served.count() == [(0, 8, "full")]


def test_streams_and_probes_hold_no_place(serve: Serve) -> None:
    """Streams and probes are taken in a full server, and hold no place themselves."""
    served = serve(max_calls=1)
    with Raw(served.port) as raw:
        raw.echo(b"x")
        raw.call(ROW, framed(b"row"))
        raw.call(PROBE, framed(b"probe"))
        assert {message[2] for message in served.take_messages(3)} == {b"x", b"row", b"probe"}
        assert served.figure("slots") == 1


def test_a_request_that_is_too_slow_gives_way(serve: Serve) -> None:
    """The one that has been on its way for the longest, and only where the server is full."""
    served = serve(max_calls=2, handshake_s=0.5).answering()
    with Raw(served.port) as slow, Raw(served.port) as quick:
        first, second = slow.call(ECHO, ends=False), slow.call(ECHO, ends=False)
        until(lambda: served.figure("slots") == 2)
        time.sleep(0.6)
        answered = quick.echo(b"x")
        quick.over(answered)
        assert answered.content == framed(b"x")
        slow.over(first)
        assert (said(first), second.is_over) == ("slow", False)
    assert (0, STATUSES["slow"][0], "slow") in served.count()


@pytest.mark.parametrize("has_come", [True, False])
def test_who_holds_many_places_gives_one_to_who_holds_none(serve: Serve, has_come: bool) -> None:
    """The latest call of a greedy caller gives way, so that two connections can't keep all others out."""
    served = serve(max_calls=4)
    with Raw(served.port) as greedy, Raw(served.port) as polite:
        calls = [greedy.call(ECHO, framed(b"x") if has_come else None, ends=has_come) for _ in range(4)]
        until(lambda: served.figure("slots") == 4)
        until(lambda: served.figure("waiting") == 4 * has_come)
        refused = greedy.call(ECHO, framed(b"x"))
        greedy.over(refused)
        assert said(refused) == "full"
        answered, second = polite.echo(b"polite"), polite.echo(b"more")
        polite.over(second)
        greedy.over(calls[3])
        assert (said(calls[3]), said(second)) == ("full", "full")
        assert not any(call.is_over for call in calls[:3])
        if has_come:
            served.transport.answer([message[0] for message in served.take_messages(4)], [b"y"] * 4)
            greedy.over(*calls[:3])
        else:
            served.transport.answer([served.take_messages()[0][0]], [b"y"])
        polite.over(answered)
    assert answered.content == framed(b"y")


def test_what_was_taken_gives_way_to_nobody(serve: Serve) -> None:
    """Calls that were taken keep their places, since they are being computed."""
    served = serve(max_calls=2)
    with Raw(served.port) as greedy, Raw(served.port) as polite:
        calls = [greedy.echo(b"x") for _ in range(2)]
        served.take_messages(2)
        refused = polite.echo(b"y")
        polite.over(refused)
        assert said(refused) == "full"
        assert not any(call.is_over for call in calls)


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


def test_a_message_past_its_bound_is_refused_by_its_prefix(serve: Serve) -> None:
    """A message is refused once its prefix tells a size past the bound; one of just the bound passes."""
    served = serve(max_message_bytes=1000).answering()
    with Raw(served.port) as raw:
        refused = raw.call(ECHO, b"\0" + (1001).to_bytes(4, "big"), ends=False)
        raw.over(refused)
        answered = raw.echo(b"x" * 1000)
        raw.over(answered)
    assert (said(refused), answered.status) == ("large", "0")


@pytest.mark.parametrize("path", [ECHO, ROW])
def test_requests_on_their_way_are_bounded_by_connection(serve: Serve, path: str) -> None:
    """A call whose parts pass the connection's bound is refused, and what was kept of it is given back."""
    served = serve(held_bytes=100_000)
    with Raw(served.port) as raw:
        torn = framed(b"x" * 60_000)[:-1]
        first, second = raw.call(path, torn, ends=False), raw.call(path, torn, ends=False)
        raw.over(second)
        assert (said(second), first.is_over) == ("full", False)
        until(lambda: served.figure("held_bytes") < 61_000)


@pytest.mark.parametrize("path", [ECHO, ROW])
def test_requests_on_their_way_are_bounded_in_all_at_the_cost_of_the_greediest(serve: Serve, path: str) -> None:
    """A neighbour with a small one is not refused for others' large ones."""
    served = serve(held_total_bytes=200_000).answering()
    with Raw(served.port) as greedy, Raw(served.port) as other, Raw(served.port) as polite:
        torn = framed(b"x" * 90_000)[:-1]
        large, largest = greedy.call(path, torn, ends=False), greedy.call(path, torn + b"", ends=False)
        until(lambda: served.figure("held_bytes") > 179_000)
        response = other.call(path, torn[:50_000], ends=False)
        greedy.wait(lambda: large.is_over or largest.is_over)
        answered = polite.echo(b"polite")
        polite.over(answered)
        assert answered.status == "0"
        assert {said(large), said(largest)} == {"full", None}
        assert not response.is_over


def test_headers_that_are_kept_count_as_requests_on_their_way(serve: Serve) -> None:
    """Streams hold no place: without this a hundred thousand of them could keep what they like in headers."""
    served = serve(held_bytes=10_000)
    with Raw(served.port) as raw:
        calls = [raw.call(ROW, ends=False, headers=[("authorization", "k" * 3000)]) for _ in range(5)]
        raw.over(calls[-1])
        assert said(calls[-1]) == "full"
        assert not calls[0].is_over
        assert served.figure("held_bytes") < 13_000


def test_who_reads_no_answers_gets_no_more(serve: Serve) -> None:
    """Calls on a connection with too much unread are refused, and a neighbour is answered."""
    served = serve(unread_bytes=50_000).answering()
    with Raw(served.port, reads=False, window=0) as deaf, Raw(served.port) as polite:
        for _ in range(6):
            deaf.echo(b"x" * 10_000)
        until(lambda: served.figure("unread_bytes") > 50_000)
        refused = deaf.echo(b"x")
        deaf.over(refused)
        answered = polite.echo(b"polite")
        polite.over(answered)
    assert (said(refused), answered.status) == ("unread", "0")


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


def test_hopeless_calls_are_refused_at_once(serve: Serve) -> None:
    """Calls whose wait would take a quarter of their time are refused; those without a deadline wait."""
    served = serve()
    with Raw(served.port) as raw:
        served.transport.take_messages(0, 0.0, 10.0)
        refused = raw.call(ECHO, framed(b"x"), headers=[("grpc-timeout", "39S")])
        raw.over(refused)
        patient = raw.call(ECHO, framed(b"y"), headers=[("grpc-timeout", "41S")])
        endless = raw.echo(b"z")
        assert said(refused) == "late"
        assert [message[2] for message in served.take_messages(2)] == [b"y", b"z"]
        served.transport.take_messages(0, 0.0, 0.0)
        assert [patient.is_over, endless.is_over] == [False, False]


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
        contents = [message[2] for message in batch[0]]
    assert contents[0] == b"p"
    assert contents[-1] == b"x"
    assert len(contents) < 50
