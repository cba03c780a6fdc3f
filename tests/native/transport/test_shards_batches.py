"""What is taken from a transport of several parts, and given to it, is of all connections, as if it had one."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import pytest

from bothends.v1.embedding_pb2 import EmbedRequest
from tests.support.until import TIMEOUT_S, gathered, until

from .fast import Fast, encoder_of, path_of
from .raw import ECHO, Raw, framed, several
from .served import ROW, Served
from .test_refusals import said
from .test_shards import CALLERS
from .test_shares import KEY, OTHER, sha256
from .test_taking import sleeps
from .web import EMBED, GET, Wire, post, web

Serve = Callable[..., Served]


def test_one_batch_has_what_all_have_sent(serve: Serve) -> None:
    """A taker comes away with all that waits, wherever it waits, and ids that are of one message each."""
    served, ids = serve(), set[int]()
    with several(served.port, CALLERS) as callers:
        for turn in range(1, 4):
            for number, caller in enumerate(callers):
                caller.echo(b"%d" % number)
            until(lambda: served.figure("waiting") == CALLERS)
            batch = served.transport.take_messages(100, 0)
            assert batch is not None
            assert sorted(message.content for message in batch.messages) == [b"%d" % each for each in range(CALLERS)]
            assert len({message.caller for message in batch.messages}) == CALLERS
            ids |= {message.id for message in batch.messages}
            assert len(ids) == turn * CALLERS


def test_whose_a_message_is_is_told_alike_by_all(serve: Serve) -> None:
    """A network has one number by whatever connections it calls, and no other's; so has who holds a key."""
    served = serve()
    served.transport.set_keys({sha256(KEY): None, sha256(OTHER): None})
    with several(served.port, 4, source="127.0.0.2") as some, several(served.port, 4, source="127.0.0.3") as others:
        for source, callers in ((b"some", some), (b"others", others)):
            for caller, key in zip(callers, (KEY, OTHER, OTHER, KEY), strict=True):
                content = framed(source + b" " + key.encode())
                caller.call(ECHO, content, headers=[("authorization", f"Bearer {key}")])
        whose = [(*message.content.split(), message.network, message.caller) for message in served.take_messages(8)]
    assert (
        len({(source, network) for source, _, network, _ in whose}) == len({network for *_, network, _ in whose}) == 2
    )
    assert len({(key, caller) for _, key, _, caller in whose}) == len({caller for *_, caller in whose}) == 2


def test_a_batch_begins_with_those_who_have_had_least(serve: Serve) -> None:
    """However much one connection has sent before, the others' first messages aren't behind all of that."""
    served, many = serve(), 50
    with several(served.port, 4) as (greedy, *polite):
        for _ in range(many):
            greedy.echo(b"greedy" * 100)  # costs more than the others' few bytes, also where their reader is stopped
        until(lambda: served.figure("waiting") == many)
        for caller in polite:
            caller.echo(b"polite")
        until(lambda: served.figure("waiting") == many + len(polite))
        contents, _ = served.look(8, 0)
    assert len(contents) == 8
    assert contents.count(b"polite") == len(polite)


@pytest.mark.parametrize("path", [ECHO, ROW])
def test_answers_and_failures_reach_each(serve: Serve, path: str) -> None:
    """A batch of answers has those of many connections, and so has one of failures, in any order."""
    served = serve()
    with several(served.port, CALLERS) as callers:
        calls = [caller.call(path, framed(b"%d" % number)) for number, caller in enumerate(callers)]
        taken = {int(message.content): message.id for message in served.take_messages(CALLERS)}
        good, bad = range(CALLERS - 1, -1, -2), range(0, CALLERS, 2)
        served.transport.answer([taken[number] for number in good], [b"for %d" % number for number in good])
        served.transport.fail([taken[number] for number in bad], [(9, f"for {number}", b"") for number in bad])
        for caller, call in zip(callers, calls, strict=True):
            caller.over(call)
        assert [calls[number].content for number in good] == [framed(b"for %d" % number) for number in good]
        assert [(calls[number].status, calls[number].message) for number in bad] == [("9", f"for {n}") for n in bad]
    served.let_go(of_connections=True)


def test_answers_of_what_is_over_are_dropped(serve: Serve) -> None:
    """Among them are ids of connections that are gone, and ids that never were: all others are answered."""
    served = serve()
    with several(served.port, CALLERS) as callers:
        calls = [caller.echo(b"%d" % number) for number, caller in enumerate(callers)]
        taken = {int(message.content): message.id for message in served.take_messages(CALLERS)}
        for number in range(0, CALLERS, 2):
            callers[number].__exit__()
        gone = [taken[number] for number in range(0, CALLERS, 2)]
        until(lambda: served.look(0, 0.1) and set(served.gone) <= set(gone) and served.figure("taken") == CALLERS // 2)
        ids = [*taken.values(), 0, 63, 255, max(taken.values()) + 256, 2**64 - 1]
        served.transport.answer(ids, [b"y"] * len(ids))
        served.transport.fail(ids, [(13, "it is over", b"")] * len(ids))
        for caller, call in zip(callers[1::2], calls[1::2], strict=True):
            caller.over(call)
            assert call.content == framed(b"y")


def test_who_left_is_told_of_wherever_they_were(serve: Serve) -> None:
    served, gone = serve(), list[int]()
    with several(served.port, CALLERS) as callers:
        calls = [caller.echo(b"x") for caller in callers]
        taken = served.take_messages(CALLERS)
        for caller, call in zip(callers, calls, strict=True):
            caller.reset(call)
        until(lambda: len(gathered(gone, served.look(0, 0.1)[1])) == CALLERS)
        assert sorted(gone) == sorted(message.id for message in taken)


def test_one_who_sleeps_is_woken_by_each_connection(serve: Serve) -> None:
    """A taker that waits alone misses nobody, whose connections ever they are."""
    served = serve()
    with several(served.port, CALLERS) as callers:
        for number, caller in enumerate(callers):
            found = list[bytes]()
            taker = threading.Thread(target=lambda found=found: found.extend(served.look(1, TIMEOUT_S)[0]))
            taker.start()
            until(partial(sleeps, taker))
            caller.echo(b"%d" % number)
            taker.join(TIMEOUT_S / 2)
            assert found == [b"%d" % number]


def test_one_connection_keeps_all_takers_at_work(serve: Serve) -> None:
    """Each of them has one of its messages, though they are all of one part."""
    served, found = serve(), list[bytes]()
    takers = [threading.Thread(target=lambda: found.extend(served.look(1, TIMEOUT_S)[0])) for _ in range(4)]
    for taker in takers:
        taker.start()
        until(partial(sleeps, taker))
    with several(served.port, 1) as (caller,):
        for number in range(4):
            caller.echo(b"%d" % number)
        for taker in takers:
            taker.join(TIMEOUT_S / 2)
        assert sorted(found) == [b"0", b"1", b"2", b"3"]


def test_keys_are_asked_for_by_every_connection(serve: Serve) -> None:
    """As soon as they are set, and no more once they aren't."""
    served = serve().answering()
    with several(served.port, CALLERS) as callers:
        for keys, refusal in (({bytes(32): None}, "no_key"), (None, None)):
            served.transport.set_keys(keys)
            calls = [caller.echo(b"x") for caller in callers]
            for caller, call in zip(callers, calls, strict=True):
                caller.over(call)
            assert [said(call) for call in calls] == [refusal] * CALLERS


@pytest.mark.parametrize("path", ["/page", EMBED])
def test_the_applications_requests_come_together(path: str) -> None:
    """One look has those of all connections, the descriptor is readable until then, and each has its own response."""
    with web() as served, ExitStack() as stack:
        wires = [stack.enter_context(Wire(served.http_port)) for _ in range(CALLERS)]
        for number, wire in enumerate(wires):
            wire.say(post(path, b"%d" % number))
        until(lambda: served.figure("requests") + served.figure("slots") == CALLERS)
        until(served.has_requests)
        taken = served.transport.take_requests()
        assert taken is not None
        assert sorted(request.body for request in taken.requests) == [b"%d" % number for number in range(CALLERS)]
        # A thread that has just read them may tell of them once more.
        until(lambda: not served.has_requests() or served.transport.take_requests() is None)
        for request in taken.requests:
            assert served.respond(request, b"for " + request.body)
        for number, wire in enumerate(wires):
            assert wire.answer()[2] == b"for %d" % number
            wire.say(GET)
        left = served.take_requests(CALLERS)
        for wire in wires:
            wire.__exit__()
        until(lambda: served.figure("http_connections") == 0)
        assert not any(served.respond(request) for request in left)
        until(lambda: served.transport.take_requests() is not None and served.figure("requests") == 0)


def test_the_application_is_told_of_all_who_left() -> None:
    """However many connections they had, and however many of those end before it looks."""
    with web() as served, ExitStack() as stack:
        wires = [stack.enter_context(Wire(served.http_port)) for _ in range(CALLERS)]
        for wire in wires:
            wire.say(post("/page", b"x"))
        taken = served.take_requests(CALLERS)
        for wire in wires:
            wire.__exit__()
        until(lambda: served.figure("http_connections") == 0)
        until(served.has_requests)
        served.take_requests(0)
        assert sorted(served.over) == sorted(request.id for request in taken)


def test_what_waits_for_python_keeps_nobody_from_the_fast_path(fast: Fast) -> None:
    """However much more a network has had than one that waits for Python, which is busy."""
    fast.wanted = 0
    until(lambda: set(fast.wanted_by.values()) == {0} and len(fast.wanted_by) == 2)
    plain = framed(EmbedRequest(sentences=["a man"]).SerializeToString())
    port = fast.served.port
    with Raw(port, source="127.0.0.2") as patient, several(port, 4, source="127.0.0.3") as callers:
        waits = patient.echo(b"for Python")
        until(lambda: fast.served.figure("waiting") == 1)
        for turn in range(400):
            caller = callers[turn % len(callers)]
            caller.over(caller.call(ECHO, plain))
        assert not waits.is_over
        fast.wanted = 64
        patient.over(waits)
        assert waits.content == framed(b"for Python")


def test_who_may_not_take_what_comes_first_takes_what_comes_after_it(serve: Serve) -> None:
    """Neither waits for the other's turn: what is for Python stands before a network that has had more than another."""
    served = serve()
    path = path_of(served, encoder_of())
    plain = framed(EmbedRequest(sentences=["a man"]).SerializeToString())
    stopped = threading.Event()

    def take() -> None:
        while not stopped.is_set():
            path.take_messages(0, 0.01, 1 << 20, threading.get_ident())

    with ExitStack() as stack:
        sources = [f"127.0.0.{2 + number}" for number in range(5)]  # of four parts, the last has the first one's
        first, other, *_, greedy = [stack.enter_context(Raw(served.port, source=source)) for source in sources]
        first.echo(b"for Python")
        until(lambda: served.figure("waiting") == 1)
        taker = threading.Thread(target=take)
        taker.start()
        for caller, times in ((other, 10), (greedy, 40)):
            for _ in range(times):
                caller.over(caller.call(ECHO, plain))
        stopped.set()
        taker.join(TIMEOUT_S)
        calls = [(greedy, greedy.call(ECHO, plain)) for _ in range(2)]
        until(lambda: served.figure("waiting") == 3)
        calls.append((other, other.call(ECHO, plain)))
        until(lambda: served.figure("waiting") == 4)
        last = threading.Thread(target=path.take_messages, args=(0, 0.2, 1 << 20, 1), daemon=True)
        last.start()
        for caller, call in calls:
            caller.over(call)
        last.join(TIMEOUT_S)
        assert not last.is_alive()
        assert served.figure("waiting") == 1
