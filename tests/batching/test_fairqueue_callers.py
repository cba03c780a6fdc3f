"""Turns of waiting sentences: a fair share for each network, and for each caller of it."""

from collections import Counter
from collections.abc import Hashable
from math import log
from typing import NamedTuple

import pytest

from bothends.batching.fairqueue import FairQueue
from bothends.batching.request import Request, Sentence
from tests.support.engines import TERMS, FreeEngine


class FromNetwork(NamedTuple):
    """A caller as the server has one."""

    network: str
    number: int


def of_caller(queue: FairQueue, caller: Hashable, count: int, tokens: int = 10) -> Request:
    """Queue a request of so many sentences."""
    request = Request(count, FreeEngine(), TERMS, None, queue.forget, caller=caller)
    queue.put(request, [Sentence([1] * tokens, request, index, 0.0) for index in range(count)])
    return request


def served_before_the_last(queue: FairQueue, request: Request) -> Counter[object]:
    """Serve one after the other until `request` has nothing left; returns how many of each caller's were served."""
    served: Counter[object] = Counter()
    while request.waiting_sentences:
        [first] = queue.window(1)
        queue.take_sentences([first])
        served[first.request.caller] += 1
    return served


@pytest.mark.parametrize("lists", [1, 100])
def test_many_requests_of_a_caller_have_one_callers_turns(lists: int) -> None:
    """However many lists of another's wait, not many more of their sentences go before a list than it has itself.

    The first of them came while few waited, and count less: a harmonic sum, which is a logarithm.
    """
    queue = FairQueue()
    for _ in range(lists):
        of_caller(queue, "greedy", 32)
    polite = of_caller(queue, "polite", 32)
    served = served_before_the_last(queue, polite)
    assert served["polite"] == 32
    assert served["greedy"] <= 32 * (2 + log(lists))


@pytest.mark.parametrize("callers", [1, 100])
def test_many_callers_of_a_network_have_one_networks_turns(callers: int) -> None:
    """However many of a network's callers wait, a caller of another network waits for little more than for one."""
    queue = FairQueue()
    for number in range(callers):
        of_caller(queue, FromNetwork("crowded", number), 32)
    alone = FromNetwork("another", 0)
    served = served_before_the_last(queue, of_caller(queue, alone, 32))
    assert served.pop(alone) == 32
    assert served.total() <= 32 * (2 + log(callers))


def test_a_caller_is_not_behind_all_of_its_networks_greediest() -> None:
    """However many requests another of its network has: two callers wait, so the work of the second counts twice."""
    queue = FairQueue()
    greedy, polite, other = FromNetwork("one", 0), FromNetwork("one", 1), FromNetwork("another", 0)
    for _ in range(100):
        of_caller(queue, greedy, 32)
    of_caller(queue, other, 32)
    served = served_before_the_last(queue, of_caller(queue, polite, 32))
    assert served[polite] == served[other] == 32
    assert served[greedy] <= 2 * 32 * (2 + log(100))


def test_a_caller_waits_for_few_of_its_networks_greediest_single_sentences() -> None:
    queue = FairQueue()
    for _ in range(1000):
        of_caller(queue, FromNetwork("one", 0), 1)
    polite = FromNetwork("one", 1)
    served = served_before_the_last(queue, of_caller(queue, polite, 1))
    assert served.total() <= 3


@pytest.mark.parametrize("is_in_rows", [False, True])
def test_many_requests_of_many_callers_have_one_networks_turns(is_in_rows: bool) -> None:
    """Whether each has all of its requests at once, or all have one after the other."""
    queue = FairQueue()
    callers = [FromNetwork("crowded", number) for number in range(20)]
    for caller in [each for each in callers for _ in range(50)] if is_in_rows else callers * 50:
        of_caller(queue, caller, 1)
    alone = FromNetwork("another", 0)
    served = served_before_the_last(queue, of_caller(queue, alone, 16))
    assert served.pop(alone) == 16
    assert served.total() <= 16 * (1 + log(20))


def test_a_network_of_which_nothing_waits_is_forgotten() -> None:
    queue = FairQueue()
    left = FromNetwork("one", 0)
    of_caller(queue, left, 5).cancel()
    assert queue.weight(left) == queue.weight(FromNetwork("one", 1)) == 1


def test_a_callers_own_requests_pass_each_other() -> None:
    """A short one waits for a part of the caller's long one, not for all of it."""
    queue = FairQueue()
    of_caller(queue, "one", 1000)
    short = of_caller(queue, "one", 4)
    assert served_before_the_last(queue, short)["one"] < 20


def test_a_caller_of_whom_nothing_waits_is_forgotten() -> None:
    queue = FairQueue()
    for number in range(100):
        request = of_caller(queue, f"caller {number}", 2)
        while queue:
            queue.take_sentences(queue.window(1))
        assert not request.waiting_sentences
    cancelled = of_caller(queue, "leaves", 5)
    cancelled.cancel()
    assert queue.weight("leaves") == queue.weight("caller 7") == 1


@pytest.mark.parametrize("last", ["greedy", None])
def test_nobody_is_behind_others_once_nothing_waits(last: str | None) -> None:
    """Whoever's was the last that waited, and though it was taken with all else."""
    queue = FairQueue()
    for caller in ["greedy"] * 20 + [last]:
        of_caller(queue, caller, 1)
    queue.take_sentences(queue.window(100))
    assert not queue
    of_caller(queue, "greedy", 1)
    of_caller(queue, "newcomer", 1)
    assert [sentence.request.caller for sentence in queue.window(2)] == ["greedy", "newcomer"]
