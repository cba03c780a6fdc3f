"""Long requests that are served in slices: the same bytes, and whose turn it is between them."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.until import TIMEOUT_S, until

from .fast import embed_codec, encoder_of
from .long import MOST, Long, call, checked, long, request_of, sentences_of
from .raw import ECHO
from .served import Served

__all__ = ("call", "long")

SLOW = 256
"""Hidden units of an encoder that takes about a millisecond for sixteen sentences."""


def slow_long(served: Served) -> Long:
    return Long(served, encoder=encoder_of(SLOW), codec=embed_codec(dimension=2 * SLOW))


@pytest.mark.parametrize("count", [4, 15, 16, 17, 33, 100, MOST])
def test_each_sentence_has_its_own_row(long: Long, call: Any, count: int) -> None:
    sentences = sentences_of(count, count)
    checked(long.answers(call.future(request_of(*sentences), timeout=TIMEOUT_S)), long.encoder, sentences)
    assert sum(long.computed) == count


def test_several_threads_serve_one_request(long: Long) -> None:
    """Rows that are there before those of an earlier slice wait for it."""

    def serve() -> None:
        while long.path.take_messages(0, 1.0, 0, threading.get_ident()) is not None:
            pass

    threads = [threading.Thread(target=serve) for _ in range(3)]
    for thread in threads:
        thread.start()
    with ThreadPoolExecutor(8) as pool, long.served.channel() as channel:

        def ask(seed: int) -> None:
            sentences = sentences_of(seed, 1 + seed * 37 % MOST)
            content = channel.unary_unary(ECHO)(request_of(*sentences), timeout=TIMEOUT_S)
            checked(content, long.encoder, sentences)

        list(pool.map(ask, range(60)))
    long.served.let_go()
    long.served.transport.stop(0)
    for thread in threads:
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()


def test_a_single_sentence_stands_between_the_slices_of_a_list(serve: Callable[..., Served]) -> None:
    """It is in the next run, by itself or with a smaller slice, however much of the list waits.

    Its caller is known: to open a connection is charged, too, and may cost more than the half millisecond by which who
    wanted nothing is ahead. The encoder is so slow that what that cost is less than what a few slices do.
    """
    long, sentences = slow_long(serve()), ["a b a b a"] * MOST
    with long.served.channel() as channel, long.served.channel() as other:
        long.answers(other.unary_unary(ECHO).future(request_of("man"), timeout=TIMEOUT_S))
        listed = long.begin(channel.unary_unary(ECHO), request_of(*sentences), steps=4)
        single = other.unary_unary(ECHO).future(request_of("man"), timeout=TIMEOUT_S)
        long.waits(2)
        assert long.step() == []
        until(single.done)
        checked(bytes(single.result()), long.encoder, ["man"])
        assert not listed.done()
        checked(long.answers(listed), long.encoder, sentences)


def test_what_waits_is_told_of_lists_that_are_begun_and_that_are_not(long: Long, call: Any) -> None:
    """Of one that isn't read yet, a quarter of its bytes stand for its tokens."""
    sliced = long.served.transport.sliced
    first = long.begin(call, request_of(*["a b"] * MOST), steps=2)
    left = MOST - sum(long.computed)
    assert sliced() == (1, left, 2 * left)
    content = request_of(*["b a"] * MOST)
    second = call.future(content, timeout=TIMEOUT_S)
    long.waits(2)
    assert sliced() == (2, left + MOST, 2 * left + len(content) // 4)
    second.cancel()
    long.waits(1)
    assert sliced() == (1, left, 2 * left)
    checked(long.answers(first), long.encoder, ["a b"] * MOST)
    assert sliced() == (0, 0, 0)


def test_lists_of_two_callers_are_served_alike(serve: Callable[..., Served]) -> None:
    """A caller of four lists has no more turns than one of one list."""
    long, sentences = slow_long(serve()), ["a b a b a"] * 64
    content = request_of(*sentences)
    with long.served.channel() as channel, long.served.channel() as other:
        calls = [channel.unary_unary(ECHO).future(content, timeout=TIMEOUT_S) for _ in range(4)]
        long.waits(4)
        modest = other.unary_unary(ECHO).future(content, timeout=TIMEOUT_S)
        long.waits(5)
        while not modest.done():
            assert long.step() == []
            unanswered = long.served.figure("waiting")  # the clients learn of each answer before the next step
            until(lambda: [call.done() for call in (*calls, modest)].count(False) == unanswered)  # noqa: B023  at once
        assert [call.done() for call in calls].count(True) <= 2
        for future in (*calls, modest):
            checked(long.answers(future), long.encoder, sentences)


def test_a_list_that_is_read_in_part_is_kept_when_another_comes_before_it(serve: Callable[..., Served]) -> None:
    """A part is 32 KiB, and each list has more. The turn of a caller's second list is after another caller's first."""
    long, sentences = Long(serve(), max_request_tokens=100_000), ["a " * 99] * MOST
    content = request_of(*sentences)
    with long.served.channel() as channel, long.served.channel() as other:
        calls = [channel.unary_unary(ECHO).future(content, timeout=TIMEOUT_S) for _ in range(2)]
        long.waits(2)
        until(lambda: long.step() == [] and long.served.figure("waiting") == 1)  # the first is answered
        long.step()  # reads a part of the second
        calls.append(other.unary_unary(ECHO).future(content, timeout=TIMEOUT_S))
        long.waits(2)
        until(lambda: long.step() == [] and all(future.done() for future in calls))
    for future in calls:
        checked(bytes(future.result()), long.encoder, sentences)


@pytest.mark.parametrize(
    ("sentences", "limits"),
    [
        (["a"] * 99 + ["a man from Ω"], {}),
        (["a"] * 99 + ["  "], {}),
        (["a"] * 99 + ["a " * 101], {}),
        (["a b man"] * 30, {"max_request_tokens": 89}),
        (["a"] * 30, {"max_sentences": 29}),
    ],
    ids=["unknown character", "blank", "long", "tokens", "many"],
)
def test_what_is_not_plain_is_left_to_python_before_anything_is_computed(
    serve: Callable[..., Served], sentences: list[str], limits: dict[str, Any]
) -> None:
    """It waits there as all that is Python's, which takes it when it wants."""
    long, content = Long(serve(), **limits), request_of(*sentences)
    with long.served.channel() as channel:
        future = channel.unary_unary(ECHO).future(content, timeout=TIMEOUT_S)
        long.waits()
        for _ in range(3):
            assert long.step() == []
        (message,) = long.step(most=1)
        assert message.content == content
        long.served.transport.answer([message.id], [b"python"])
        assert future.result() == b"python"
    assert long.computed == []
    long.served.let_go()


def test_as_many_tokens_as_a_request_may_have_are_served(serve: Callable[..., Served]) -> None:
    long = Long(serve(), max_request_tokens=90)
    with long.served.channel() as channel:
        future = channel.unary_unary(ECHO).future(request_of(*["a b man"] * 30), timeout=TIMEOUT_S)
        checked(long.answers(future), long.encoder, ["a b man"] * 30)
