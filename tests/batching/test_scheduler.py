"""Estimated waits, which are a fair share of what waits, and batches of like length."""

import pytest

from bothends.batching.request import Request
from bothends.batching.scheduler import Scheduler
from bothends.engines.contract import TokenIds
from tests.support.engines import FreeEngine, budgets


def scheduler() -> Scheduler:
    """Scheduler in front of an engine that takes a second for a token."""
    return Scheduler(budgets(max_queue_tokens=1000), lambda tokens: tokens)


def put(waiting: Scheduler, sentences: list[TokenIds]) -> None:
    waiting.put(Request(len(sentences), FreeEngine(), None, waiting.forget), sentences, now=0.0)


def test_nobody_waits_for_an_empty_queue() -> None:
    assert scheduler().wait_s == 0


def test_a_newcomer_waits_for_all_of_its_like() -> None:
    waiting = scheduler()
    for _ in range(50):
        put(waiting, [[1] * 10])
    assert waiting.wait_s == pytest.approx(500, rel=0.1)


def test_a_newcomer_does_not_wait_for_all_of_a_large_request() -> None:
    """Small calls are not refused for a large one, since they are served in their turn."""
    waiting = scheduler()
    put(waiting, [[1] * 10] * 50)
    assert waiting.wait_s < 50


def test_a_list_keeps_company_of_like_length_beyond_the_window() -> None:
    """A list of many lengths in any order is run with little padding, and every sentence of it once."""
    waiting = scheduler()
    lengths = [1 + 37 * index % 101 for index in range(3000)]
    put(waiting, [[1] * length for length in lengths])
    batches = []
    while waiting:
        batches.append(waiting.take_batch())
    padded = sum(len(batch) * max(len(sentence.ids) for sentence in batch) for batch in batches)
    assert padded < 1.02 * sum(lengths)
    assert sorted(sentence.position for batch in batches for sentence in batch) == list(range(3000))


def test_a_long_list_keeps_no_single_sentence_outside() -> None:
    """Sentences are wanted as long as few go before them; where a quarter of the queue is full, lists stay outside."""
    waiting = scheduler()
    most = waiting.wanted
    put(waiting, [[1]] * 200)
    assert 0 < waiting.wanted < most
    put(waiting, [[1]] * 50)
    assert waiting.wanted < 0


def test_lists_of_one_caller_wait_outside_where_many_are_inside() -> None:
    """All would end together, and late, though hardly a sentence of theirs goes before another caller's first."""
    waiting = scheduler()
    for is_wanted in [True] * 15 + [False]:
        waiting.put(Request(10, FreeEngine(), None, waiting.forget, caller="one"), [[1]] * 10, now=0.0)
        assert (waiting.wanted > 0) == is_wanted
