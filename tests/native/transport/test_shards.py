"""A transport of several parts is one to its callers: bounds, shares, figures and news are those of all connections."""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from bothends.server.quota import Quota
from tests.support.until import TIMEOUT_S, until

from .fast import Fast
from .raw import ECHO, Raw, framed, several
from .served import ROW, Served
from .test_health import NOT_SERVING, SERVING
from .test_refusals import said
from .test_shares import KEY, OTHER, Holder, sha256

Serve = Callable[..., Served]
CALLERS = 8
"""Connections, of which no part is left out for long, and some parts have more than one."""


def test_who_connects_comes_to_where_the_fewest_are(serve: Serve, shards: int) -> None:
    """Each part has as many connections as another, and who takes the places of some who left comes to those parts."""
    served = serve()

    def parts(callers: list[Raw]) -> list[int]:
        """The part that each caller came to, which is the low byte of its message's id."""
        for number, caller in enumerate(callers):
            caller.echo(b"%d" % number)
        found = {int(message.content): message.id & 0xFF for message in served.take_messages(len(callers))}
        return [found[number] for number in range(len(callers))]

    with ExitStack() as stack:
        stayed = [stack.enter_context(Raw(served.port)) for _ in range(CALLERS)]
        first = parts(stayed)
        assert Counter(first) == dict.fromkeys(range(shards), CALLERS // shards)
        left = [caller for caller, part in zip(stayed, first, strict=True) if part == first[2]]
        for caller in left:
            caller.socket.close()
        until(lambda: served.figure("connections") == CALLERS - len(left))
        assert set(parts([stack.enter_context(Raw(served.port)) for _ in left])) == {first[2]}


def test_every_connection_is_answered(echo: Served) -> None:
    with several(echo.port, CALLERS) as callers:
        assert echo.figure("connections") == CALLERS
        calls = [caller.echo(b"%d" % number) for number, caller in enumerate(callers)]
        for number, (caller, call) in enumerate(zip(callers, calls, strict=True)):
            caller.over(call)
            assert call.content == framed(b"%d" % number)


def test_slots_are_counted_over_all(serve: Serve) -> None:
    """As many calls as may be are let in, whoever makes them, and one more of nobody who has one."""
    served = serve(max_concurrent_requests=CALLERS)
    with several(served.port, CALLERS) as callers:
        let_in = [caller.echo(b"x") for caller in callers]
        until(lambda: served.figure("slots") == CALLERS)
        refused = [caller.echo(b"more") for caller in callers]
        for caller, call in zip(callers, refused, strict=True):
            caller.over(call)
        assert {said(call) for call in refused} == {"full"}
        served.answering()
        for caller, call in zip(callers, let_in, strict=True):
            caller.over(call)
        assert {call.status for call in let_in} == {"0"}


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.2"])
def test_who_has_most_slots_gives_one_to_who_has_none(serve: Serve, source: str) -> None:
    """Whichever connections they have, of one network or of two: the latest calls of the one give way."""
    served = serve(max_concurrent_requests=CALLERS)
    with Raw(served.port) as greedy, several(served.port, CALLERS // 2, source=source) as newcomers:
        calls = [greedy.echo(b"greedy") for _ in range(CALLERS)]
        until(lambda: served.figure("slots") == CALLERS)
        for newcomer, given in zip(newcomers, reversed(calls), strict=False):
            newcomer.echo(b"new")
            greedy.over(given)
            assert said(given) == "full"
        taken = Counter(message.content for message in served.take_messages(CALLERS))
        assert taken == {b"greedy": CALLERS // 2, b"new": CALLERS // 2}


@pytest.mark.parametrize("by", ["key", "network"])
def test_turns_are_by_who_calls_and_not_by_connection(serve: Serve, by: str) -> None:
    """Who calls by many connections has the turns of one, wherever those are."""
    served, each = serve(), 10
    sources = {KEY: "127.0.0.2", OTHER: "127.0.0.3" if by == "network" else "127.0.0.2"}
    if by == "key":
        served.transport.set_keys({sha256(KEY): None, sha256(OTHER): None})
    with ExitStack() as stack:
        for key in [KEY] * (CALLERS - 1) + [OTHER]:
            caller = stack.enter_context(Raw(served.port, source=sources[key]))
            for _ in range(each):
                caller.call(ECHO, framed(key.encode()), headers=[("authorization", f"Bearer {key}")])
        until(lambda: served.figure("waiting") == CALLERS * each)
        contents, _ = served.look(each, 0)
    assert len(contents) == each
    assert contents.count(OTHER.encode()) >= each // 2 - 1


def test_a_share_is_of_a_key_and_not_of_a_connection(fast: Fast) -> None:
    """All that a key's callers have in progress is one count, and free for all of them once it is given back."""
    holder = Holder(fast, Quota(concurrent_sentences=3))
    holder.account.take_share(3)
    for _ in range(CALLERS):
        assert holder.refused("a").code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    until(lambda: holder.denied() == [(0, 8, "over_concurrency")] * CALLERS)
    holder.account.give_back(3)
    for _ in range(CALLERS):
        assert holder.ask("a", "b", "man")
    assert holder.account.in_progress == 0


def test_a_newcomer_has_the_place_of_an_idle_connection_wherever_that_is(serve: Serve) -> None:
    """Each of other networks is let in, for one of the network that has the most."""
    served = serve(max_connections=CALLERS).answering()
    with several(served.port, CALLERS, source="127.0.0.2"), ExitStack() as stack:
        for place in range(3, 3 + CALLERS // 2):
            newcomer = stack.enter_context(Raw(served.port, source=f"127.0.0.{place}"))
            newcomer.over(newcomer.echo(b"x"))
            assert served.figure("connections") <= CALLERS
        gave_way = [event for event in served.transport.events() if event.kind == "gave_way"]
    assert {event.network for event in gave_way} == {bytes([127, 0, 0, 2])}
    assert sum(event.count for event in gave_way) == CALLERS // 2


def test_figures_are_of_all_and_nothing_in_the_end(serve: Serve) -> None:
    served = serve()
    with several(served.port, CALLERS) as callers:
        calls = [(caller, caller.echo(b"x" * 100)) for caller in callers for _ in range(2)]
        until(lambda: served.figure("waiting") == 2 * CALLERS)
        taken = served.take_messages(CALLERS)
        found = served.transport.figures()
        assert {found["connections"], found["connections_begun"], found["taken"], found["waiting"]} == {CALLERS}
        assert {found["calls"], found["calls_begun"], found["slots"]} == {2 * CALLERS}
        assert found["held_bytes"] >= CALLERS * 100
        assert found["received_bytes"] >= sum(caller.sent for caller in callers)
        taken += served.take_messages(CALLERS)
        served.transport.answer([message.id for message in taken], [b"y"] * len(taken))
        for caller, call in calls:
            caller.over(call)
        assert served.figure("calls_begun") == 2 * CALLERS
    served.let_go(of_connections=True)
    assert served.figure("connections_begun") == CALLERS


def test_what_ended_and_what_was_decided_is_told_of_all(serve: Serve) -> None:
    """Each call once, and each event in order of its time."""
    served = serve()
    with several(served.port, CALLERS) as callers:
        for caller in callers:
            caller.over(caller.call("/t.T/No"))
    until(lambda: served.count() == [(-1, 12, "unknown")] * CALLERS)
    served.let_go(of_connections=True)
    events = served.transport.events(are_new=True)
    told = Counter[str]()
    for event in events:
        told[event.kind] += event.count
    assert told == {"accepted": CALLERS, "call_refused": CALLERS, "left": CALLERS}
    assert [event.last for event in events] == sorted(event.last for event in events)
    assert served.transport.events(are_new=True) == []


def test_all_watchers_hear_of_a_change(serve: Serve) -> None:
    served = serve()
    with ExitStack() as stack:
        channels = [stack.enter_context(served.channel()) for _ in range(CALLERS)]
        watches = [HealthStub(channel).Watch(HealthCheckRequest(), timeout=TIMEOUT_S) for channel in channels]
        assert [next(watch).status for watch in watches] == [SERVING] * CALLERS
        assert served.figure("watchers") == CALLERS
        served.transport.set_serving(False)
        assert [next(watch).status for watch in watches] == [NOT_SERVING] * CALLERS


def test_a_drain_waits_for_all(serve: Serve) -> None:
    """Each connection is told, each stream ends after its answer, and who calls anew is refused."""
    served = serve()
    with several(served.port, CALLERS) as callers:
        calls = [caller.call(path, framed(b"x"), ends=path == ECHO) for caller in callers for path in (ECHO, ROW)]
        taken = served.take_messages(len(calls))
        served.transport.drain()
        assert not served.transport.wait_idle(0)
        for message in taken:
            assert not served.transport.wait_idle(0)
            served.transport.answer([message.id], [b"y"])
        assert served.transport.wait_idle(TIMEOUT_S)
        for caller, unary, stream in zip(callers, calls[::2], calls[1::2], strict=True):
            caller.over(unary, stream)
            assert (unary.content, stream.content) == (framed(b"y"), framed(b"y"))
            late = caller.echo(b"late")
            caller.over(late)
            assert said(late) == "draining"


def test_a_stop_ends_all(serve: Serve) -> None:
    """Connections with calls that are half there, and takers, wherever they wait."""
    served = serve().answering(4)
    with several(served.port, CALLERS) as callers:
        for caller in callers:
            caller.call(ECHO, framed(b"torn")[:-1], ends=False)
        until(lambda: served.figure("calls") == CALLERS)
        served.stop()
        for caller in callers:
            caller.drain()
    assert served.transport.take_messages(1, TIMEOUT_S) is None
