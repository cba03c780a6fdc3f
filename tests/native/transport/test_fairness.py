"""Order in which messages are taken: callers by what they have had, messages by when they came."""

import time
from collections.abc import Callable

from tests.support.until import TIMEOUT_S, until

from .raw import Raw
from .served import ECHO, ROW, Served, framed

Serve = Callable[..., Served]


def taken(served: Served, most: int, most_bytes: int = 1 << 22) -> list[bytes]:
    batch = served.transport.take_messages(most, TIMEOUT_S, 0.0, most_bytes)
    assert batch is not None
    return [message[2] for message in batch[0]]


def test_a_callers_first_stands_before_anothers_second(serve: Serve) -> None:
    """However many of the other's came before."""
    served = serve(max_streams=1000, max_calls=2000)
    with Raw(served.port) as greedy, Raw(served.port) as polite:
        for number in range(1000):
            greedy.echo(b"%d" % number)
        until(lambda: served.figure("waiting") == 1000)
        polite.echo(b"polite")
        until(lambda: served.figure("waiting") == 1001)
        first = taken(served, 2)
        assert first == [b"0", b"polite"]
        polite.echo(b"again")
        until(lambda: served.figure("waiting") == 1000)
        assert b"again" in taken(served, 3)
        rest = taken(served, 1000)
    assert rest == [b"%d" % number for number in range(1000) if b"%d" % number in rest]


def test_a_newcomer_stands_where_the_line_is_now(serve: Serve) -> None:
    """A newcomer's first message passes whoever has waited, and no other: what others had before it came isn't owed."""
    served = serve()
    with Raw(served.port) as first, Raw(served.port) as newcomer:
        for number in range(10):
            first.echo(b"old%d" % number)
        until(lambda: served.figure("waiting") == 10)
        assert taken(served, 6) == [b"old%d" % number for number in range(6)]
        for number in range(4):
            newcomer.echo(b"new%d" % number)
        until(lambda: served.figure("waiting") == 8)
        assert taken(served, 5) == [b"new0", b"old6", b"new1", b"old7", b"new2"]


def test_what_was_cancelled_counts_for_nobodys_turn(serve: Serve) -> None:
    """A caller who cancels what waits stands where they would without it, before another's second message."""
    served = serve()
    with Raw(served.port) as other, Raw(served.port) as caller:
        for number in range(3):
            other.echo(b"other%d" % number)
        until(lambda: served.figure("waiting") == 3)
        cancelled = caller.echo(b"c" * 9000)
        until(lambda: served.figure("waiting") == 4)
        caller.reset(cancelled)
        until(lambda: served.figure("waiting") == 3)
        caller.echo(b"mine")
        until(lambda: served.figure("waiting") == 4)
        assert taken(served, 4) == [b"other0", b"mine", b"other1", b"other2"]


def test_turns_are_by_bytes(serve: Serve) -> None:
    """A caller of long requests, one at a time, has no more of the server than one of short ones."""
    served = serve()
    with Raw(served.port) as long, Raw(served.port) as short:
        turns = []
        for _ in range(40):
            short.echo(b"s" * 1000)
        long.echo(b"l" * 9000)
        until(lambda: served.figure("waiting") == 41)
        while len(turns) < 30:
            [content] = taken(served, 1)
            turns.append(chr(content[0]))
            if content[:1] == b"l":
                long.echo(b"l" * 9000)
                until(lambda: served.figure("waiting") == 41 - len(turns) + turns.count("l"))
    assert turns.count("l") in (3, 4)


def test_a_polite_caller_is_not_hopeless_because_others_are_many(serve: Serve) -> None:
    """The wait is that of their own turn."""
    served = serve(max_streams=1000, max_calls=2000)
    with Raw(served.port) as greedy, Raw(served.port) as polite:
        for _ in range(600):
            greedy.echo(b"x" * 100)
        until(lambda: served.figure("waiting") == 600)
        for _ in range(3):  # how fast the line moves
            served.take_messages(1)
            until(lambda: served.figure("wait_s") >= 0)
        until(lambda: served.take_messages(1) and served.figure("wait_s") > 0.004)
        hopeless = greedy.call(ECHO, framed(b"y"), headers=[("grpc-timeout", "16m")])
        greedy.over(hopeless)
        assert hopeless.message in ("it is late", "it is expired")
        polite.call(ECHO, framed(b"polite"), headers=[("grpc-timeout", "60S")])
        until(lambda: served.figure("waiting") > 0 and b"polite" in taken(served, 2))


def test_who_is_passed_by_is_refused_before_its_time_is_over(serve: Serve) -> None:
    """A polite caller's turn is before a greedy one's last calls: those that it makes late are refused, no others."""
    served = serve(max_streams=2000, max_calls=2000)
    minutes = [("grpc-timeout", "600S")]
    with Raw(served.port) as greedy, Raw(served.port) as polite:
        calls = [greedy.call(ECHO, framed(b"greedy"), headers=minutes) for _ in range(1000)]
        until(lambda: served.figure("waiting") == 1000)
        served.take_messages(1)
        time.sleep(0.3)  # how fast the line moves: all that waits takes 300 s at least, and may take 150
        served.take_messages(1)
        answered = polite.call(ECHO, framed(b"polite"), headers=minutes)
        greedy.over(calls[-1])
        refused = [call for call in calls if call.is_over]
        assert {call.message for call in refused} == {"it is late"}
        waiting = served.figure("waiting")
        assert (
            served.figure("wait_s") * (waiting - 1) / waiting <= 150.001
        )  # of the last, whose own work isn't before it
        assert waiting == 1000 - 2 + 1 - len(served.count())
        assert b"polite" in taken(served, 2)
        assert not answered.is_over
        assert not calls[2].is_over


def test_nobody_is_late_by_their_own_work(serve: Serve) -> None:
    """A large request of a line that has moved slowly is let in where nothing stands before it."""
    served = serve()
    with Raw(served.port) as slow, Raw(served.port) as large:
        for _ in range(2):
            slow.call(ECHO, framed(b"slow"))
        until(lambda: served.figure("waiting") == 2)
        served.take_messages(1)
        time.sleep(0.3)  # how fast the line moves: four bytes in so long
        served.take_messages(1)
        large.call(ECHO, framed(b"x" * 100_000), headers=[("grpc-timeout", "600S")])
        until(lambda: served.figure("waiting") or served.count())
        assert (served.figure("waiting"), served.count()) == (1, [])


def test_a_stream_and_a_call_take_turns(serve: Serve) -> None:
    """A stream's window of messages is no better than that many calls."""
    served = serve()
    with Raw(served.port) as streaming, Raw(served.port) as calling:
        streaming.call(ROW, framed(*[b"s" * 100] * 30))
        until(lambda: served.figure("waiting") == 30)
        for _ in range(3):
            calling.echo(b"c" * 100)
        until(lambda: served.figure("waiting") == 33)
        turns = [content[:1] for content in taken(served, 6)]
    assert turns.count(b"c") == 3


def test_a_batch_is_bounded_in_bytes(serve: Serve) -> None:
    """Long requests come in several batches, so that they aren't all in memory at once."""
    served = serve()
    with Raw(served.port) as raw:
        for _ in range(5):
            raw.echo(b"x" * 6000)
        until(lambda: served.figure("waiting") == 5)
        assert [len(taken(served, 100, 13_000)) for _ in range(3)] == [2, 2, 1]


def test_a_line_that_stood_still_once_is_not_slow(serve: Serve) -> None:
    """A pause in which nobody takes anything makes no estimate that refuses patient callers afterwards."""
    served = serve(max_streams=1000, max_calls=2000)
    with Raw(served.port) as raw:
        for _ in range(400):
            raw.echo(b"x" * 100)
        until(lambda: served.figure("waiting") == 400)
        for _ in range(20):
            served.take_messages(10)
        usual = served.figure("wait_s")
        time.sleep(1.5)
        served.transport.take_messages(0, 0.0)  # whoever is busy looks, and wants nothing
        assert served.figure("wait_s") == usual
        served.take_messages(10)
        assert served.figure("wait_s") < 10


def test_who_is_refused_is_read_no_more_for_a_while(serve: Serve) -> None:
    """Refusals take a small part of the time, however soon their callers ask again; others are read meanwhile."""
    served = serve(max_calls=1, max_streams=1000)
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
