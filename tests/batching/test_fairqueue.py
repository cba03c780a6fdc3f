"""Turns of waiting sentences: a fair share for each request."""

from concurrent.futures import CancelledError, Future

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bothends.batching.fairqueue import FairQueue
from bothends.batching.request import Request, Sentence
from tests.support.engines import TERMS, FreeEngine


def put(queue: FairQueue, name: int, lengths: list[int]) -> Request:
    request = Request(len(lengths), FreeEngine(), TERMS, None, queue.forget)
    queue.put(request, [Sentence([name] * length, request, index, 0.0) for index, length in enumerate(lengths)])
    return request


def names(queue: FairQueue, size: int = 1000) -> list[int]:
    return [sentence.ids[0] for sentence in queue.window(size)]


def test_one_request_keeps_its_order() -> None:
    queue = FairQueue()
    put(queue, 1, [3, 1, 2])
    assert [len(sentence.ids) for sentence in queue.window(9)] == [3, 1, 2]


def test_requests_share_by_tokens() -> None:
    """Two requests with equal sentences take turns; one with sentences twice as long gets half as many of them."""
    queue = FairQueue()
    put(queue, 1, [1] * 4)
    put(queue, 2, [2] * 4)
    assert names(queue) == [1, 2, 1, 1, 2, 1, 2, 2]


def test_single_sentences_are_served_as_they_came() -> None:
    """Turns don't depend on length: else the long ones would wait longest, and make the last percent of latency."""
    queue = FairQueue()
    for name, length in enumerate((9, 1, 5, 2)):
        put(queue, name, [length])
    assert names(queue) == [0, 1, 2, 3]
    queue.take_sentences(queue.window(1))
    put(queue, 4, [1])
    assert names(queue) == [1, 2, 3, 4]


def test_a_large_request_moves_on_while_single_ones_keep_coming() -> None:
    """A request of many sentences and a row of single ones have a share each: neither starves the other."""
    queue = FairQueue()
    put(queue, 0, [3] * 10)
    for name in range(1, 40):
        put(queue, name, [3])
        queue.take_sentences(queue.window(1))
    assert 0 < names(queue).count(0) < 10
    assert len(names(queue)) > names(queue).count(0)


def test_a_newcomer_stands_near_the_front() -> None:
    """A newcomer's turn comes after what was served already, before the rest of a large request."""
    queue = FairQueue()
    put(queue, 1, [1] * 100)
    queue.take_sentences(queue.window(10))
    put(queue, 2, [1])
    assert names(queue, 3) == [1, 2, 1]


def test_nobody_waits_for_ever() -> None:
    """A large request's last sentence has its turn, even where small ones come as fast as anything is served."""
    queue = FairQueue()
    large = put(queue, 1, [5] * 20)
    for number in range(2000):
        put(queue, 2 + number, [1])
        queue.take_sentences(queue.window(1))
        if not large.waiting_sentences:
            return
    pytest.fail("the large request starved")


def test_the_dead_give_up_their_places_at_once() -> None:
    """Counts fall when a request is cancelled; its sentences are never seen again."""
    queue = FairQueue()
    doomed, kept = put(queue, 1, [5] * 50), put(queue, 2, [1])
    assert doomed.cancel()
    assert (queue.sentences, queue.tokens) == (1, 1)
    assert names(queue) == [2]
    assert kept.waiting_sentences == 1
    with pytest.raises(CancelledError):
        doomed.result(0)


def test_a_request_that_is_just_leaving_does_not_hide_the_dead() -> None:
    """A cancelled future gives its places back a moment later: until then others' dead must not count as served.

    They were: the number of waiting sentences fell below nothing, and a small request that came then waited for ever.
    """
    queue = FairQueue()
    put(queue, 1, [100] * 30).cancel()
    leaving = put(queue, 2, [1] * 120)
    put(queue, 3, [1])
    Future.cancel(leaving)
    for _ in range(3):
        queue.take_sentences(queue.window(64))
    queue.forget(leaving)
    assert (queue.requests, queue.sentences, queue.tokens) == (0, 0, 0)
    put(queue, 4, [1])
    assert queue
    assert names(queue) == [4]


def test_many_dead_do_not_pile_up() -> None:
    queue = FairQueue()
    for number in range(5000):
        put(queue, number, [1]).cancel()
    assert queue.held <= 1025
    assert not queue


class Accounting(RuleBasedStateMachine):
    """Any interleaving of arrivals, cancellations and service."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = FairQueue()
        self.waiting: dict[int, list[int]] = {}
        self.requests: dict[int, Request] = {}

    @rule(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=30))
    def arrive(self, lengths: list[int]) -> None:
        name = len(self.requests)
        self.requests[name] = put(self.queue, name, lengths)
        self.waiting[name] = list(lengths)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.requests:
            name = data.draw(st.sampled_from(sorted(self.requests)))
            self.requests[name].cancel()
            self.waiting[name] = []

    @rule(size=st.integers(1, 64), data=st.data())
    def serve(self, size: int, data: st.DataObject) -> None:
        window = self.queue.window(size)
        chosen = [sentence for sentence in window if data.draw(st.booleans())]
        self.queue.take_sentences(chosen)
        for sentence in chosen:
            self.waiting[sentence.ids[0]].remove(len(sentence.ids))

    @invariant()
    def counts_are_right(self) -> None:
        lengths = [length for waiting in self.waiting.values() for length in waiting]
        assert (self.queue.sentences, self.queue.tokens) == (len(lengths), sum(lengths))
        assert self.queue.requests == sum(map(bool, self.waiting.values()))
        assert sorted(len(sentence.ids) for sentence in self.queue.window(10_000)) == sorted(lengths)


TestAccounting = settings(max_examples=60, stateful_step_count=30)(Accounting).TestCase
