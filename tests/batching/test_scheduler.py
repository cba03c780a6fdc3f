"""Estimated waits, which are a fair share of what waits, and batches of like length."""

from dataclasses import replace

import pytest

from bothends.batching.request import Request
from bothends.batching.scheduler import Scheduler
from bothends.engines.contract import Engine, TokenIds
from tests.support.engines import TERMS, FreeEngine, budgets, terms_of


def scheduler() -> Scheduler:
    """Scheduler in front of an engine that takes a second for a token."""
    return Scheduler(budgets(max_queue_tokens=1000), lambda tokens: tokens)


def put(waiting: Scheduler, sentences: list[TokenIds]) -> None:
    waiting.put(Request(len(sentences), FreeEngine(), TERMS, None, waiting.forget), sentences, now=0.0)


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
        waiting.put(Request(10, FreeEngine(), TERMS, None, waiting.forget, caller="one"), [[1]] * 10, now=0.0)
        assert (waiting.wanted > 0) == is_wanted


def test_a_batch_is_of_one_model() -> None:
    """Whose turn it is; sentences of others wait for theirs, however alike they are, in batches of their own sizes."""
    waiting = scheduler()
    small, wide = FreeEngine(), FreeEngine()
    pairs = replace(TERMS, budgets=budgets(max_batch_rows=2))
    for _ in range(6):
        for engine, terms in ((small, TERMS), (wide, pairs)):
            waiting.put(Request(1, engine, terms, None, waiting.forget), [[1] * 5], now=0.0)
    batches = []
    while waiting:
        batches.append([sentence.request.engine for sentence in waiting.take_batch()])
    assert all(len(set(batch)) == 1 for batch in batches)
    assert sorted(len(batch) for batch in batches if batch[0] is small) == [2, 4]
    assert sorted(len(batch) for batch in batches if batch[0] is wide) == [2, 2, 2]


def test_who_asks_a_costly_model_has_no_more_of_the_work() -> None:
    """Where a token costs ten times as much, a tenth of the tokens are served by the time that the others' are."""
    waiting = scheduler()
    cheap, costly = FreeEngine(), FreeEngine()
    for engine, terms in ((costly, terms_of(budgets(), cost=10.0)), (cheap, TERMS)):
        waiting.put(Request(40, engine, terms, None, waiting.forget, caller=engine), [[1]] * 40, now=0.0)
    served: dict[Engine, int] = {cheap: 0, costly: 0}
    while served[cheap] < 40:
        batch = waiting.take_batch()
        served[batch[0].request.engine] += len(batch)
    assert served[costly] <= 8


def test_estimates_count_work() -> None:
    """A newcomer waits longer behind a costly model's tokens."""
    waits = []
    for cost in (1.0, 10.0):
        waiting = scheduler()
        for _ in range(50):
            terms = terms_of(budgets(), cost=cost)
            waiting.put(Request(1, FreeEngine(), terms, None, waiting.forget), [[1] * 10], now=0.0)
        waits.append(waiting.wait_s)
    assert waits[1] == pytest.approx(10 * waits[0])
