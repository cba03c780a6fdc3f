"""The queue in front of the engine, driven by hand-held engines: no model, no clock but the test's, no sleeps."""

from concurrent.futures import wait
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bothends.engines.contract import BatchRecord
from bothends.errors import DeadlineError, OverloadedError
from tests.support.clock import Clock
from tests.support.engines import EngineQueue, FreeEngine, HeldEngine, budgets, fifo_of, rows_of, terms_of
from tests.support.until import TIMEOUT_S


def test_an_idle_worker_waits_for_nobody() -> None:
    """One sentence alone runs at once, without company."""
    with fifo_of(FreeEngine()) as queue:
        rows = queue.submit([[3, 4]]).result(TIMEOUT_S)
    assert rows.tolist() == [[7, 2]]


def test_rows_come_in_the_callers_order_across_batches() -> None:
    """Sentences are sorted for batching; their rows are not."""
    sentences = [[index] * (1 + index * 7 % 10) for index in range(50)]
    with fifo_of(FreeEngine()) as queue:
        rows = queue.submit(sentences).result(TIMEOUT_S)
    assert np.array_equal(rows, rows_of(sentences))


def test_waiting_sentences_are_batched_by_length(queue: EngineQueue, engine: HeldEngine) -> None:
    """A batch holds the sentence whose turn it is and those of like length, whichever callers sent them."""
    futures = [queue.submit([[1] * n]) for n in (3, 9, 3, 8, 3, 9, 3)]
    engine.released.release(10)
    wait(futures, timeout=TIMEOUT_S)
    assert [sorted(map(len, batch)) for batch in engine.batches[1:]] == [[3, 3, 3, 3], [8, 9, 9]]


def test_a_free_worker_takes_what_waits_however_little(engine: HeldEngine) -> None:
    """A second worker starts at once beside a batch that runs, or hangs: nothing waits while a worker is free."""
    with fifo_of(engine, workers=2) as queue:
        hung = queue.submit([[1]])
        engine.await_batch()
        other = queue.submit([[2]])
        engine.await_batch()
        engine.released.release(10)
        wait([hung, other], timeout=TIMEOUT_S)
    assert engine.batches == [[[1]], [[2]]]


def test_no_more_batches_run_than_there_are_workers(engine: HeldEngine) -> None:
    """Sentences that come while all workers run wait for one of them, and go together."""
    with fifo_of(engine, workers=2) as queue:
        futures = [queue.submit([[1]])]
        engine.await_batch()
        futures.append(queue.submit([[2]]))
        engine.await_batch()
        futures += [queue.submit([[3]]) for _ in range(3)]
        assert not engine.entered.acquire(timeout=0.05)
        engine.released.release(10)
        wait(futures, timeout=TIMEOUT_S)
    assert [len(batch) for batch in engine.batches] == [1, 1, 3]


def test_what_came_first_is_in_the_next_batch(queue: EngineQueue, engine: HeldEngine) -> None:
    """A sentence of a length that no other has isn't passed over, however many of like length come after it."""
    first = queue.submit([[1] * 9])
    for _ in range(20):
        queue.submit([[2, 2]])
    engine.released.release(2)
    assert first.result(TIMEOUT_S).tolist() == [[9, 9]]


def test_a_batch_is_of_one_model(queue: EngineQueue, engine: HeldEngine) -> None:
    """That of the oldest sentence; those of others wait, however alike they are, and run in batches of their sizes."""
    pairs, other = terms_of(budgets(max_batch_rows=2)), HeldEngine()
    other.released.release(10)
    several: list[dict[str, Any]] = [{}, {"engine": other, "terms": pairs}]
    futures = [queue.submit([[5]], **of) for _ in range(6) for of in several]
    engine.released.release(10)
    wait(futures, timeout=TIMEOUT_S)
    assert [len(batch) for batch in engine.batches[1:]] == [4, 2]
    assert [len(batch) for batch in other.batches] == [2, 2, 2]


def test_a_small_batch_waits_a_little_for_others(engine: HeldEngine) -> None:
    """An engine whose step costs the same for one as for many runs those together that come within a pause."""
    with fifo_of(engine, max_wait_s=TIMEOUT_S) as queue:
        futures = [queue.submit([[number]]) for number in range(4)]  # as many as a batch may hold
        engine.released.release(10)
        wait(futures, timeout=TIMEOUT_S)
    assert [len(batch) for batch in engine.batches] == [4]


def test_a_batch_is_as_wide_as_it_may_be(engine: HeldEngine) -> None:
    """Hundreds that wait go together in front of an engine that takes hundreds of rows at once."""
    with fifo_of(engine, max_batch_rows=300, max_queue_tokens=1000, overhead_rows=1000.0) as queue:
        first = queue.submit([[1]])
        engine.await_batch()
        rest = [queue.submit([[2]] * 100) for _ in range(3)]
        engine.released.release(2)
        wait([first, *rest], timeout=TIMEOUT_S)
    assert [len(batch) for batch in engine.batches] == [1, 300]


def test_a_batch_keeps_its_token_budget(engine: HeldEngine) -> None:
    """rows × longest stays within max_batch_tokens; a sentence over it goes alone."""
    with fifo_of(engine, max_batch_tokens=20) as queue:
        futures = [queue.submit([[1]])]
        engine.await_batch()
        futures += [queue.submit([[1] * n]) for n in (10, 10, 10, 30)]
        engine.released.release(10)
        wait(futures, timeout=TIMEOUT_S)
    assert [list(map(len, batch)) for batch in engine.batches[1:]] == [[10, 10], [10], [30]]


def test_a_full_queue_refuses_at_once_and_says_how_long(queue: EngineQueue) -> None:
    """No sentence of a refused request is queued, and the refusal carries a time to wait."""
    queue.submit([[1] * 90])
    with pytest.raises(OverloadedError) as refused:
        queue.submit([[1] * 6, [1] * 6])
    assert refused.value.retry_after_s > 0
    assert queue.queued == (1, 1, 90)


def test_an_empty_queue_takes_a_request_of_any_size(queue: EngineQueue) -> None:
    """The bound can't refuse a request for ever."""
    queue.submit([[1] * 500])
    assert queue.queued == (1, 1, 500)


def test_a_cancelled_request_frees_its_place_at_once(queue: EngineQueue, engine: HeldEngine) -> None:
    """A cancelled request's sentences leave the queue at once, not when their turn comes, and are never run."""
    doomed = queue.submit([[7] * 5, [7] * 6])
    kept = queue.submit([[8] * 5])
    assert doomed.cancel()
    assert queue.queued == (1, 1, 5)
    engine.released.release(10)
    assert kept.result(TIMEOUT_S).tolist() == [[40, 5]]
    assert not any(7 in ids for batch in engine.batches for ids in batch)


def test_cancelling_while_its_batch_runs_harms_nobody(queue: EngineQueue, engine: HeldEngine) -> None:
    """The batch loop survives settling a future that was cancelled under it."""
    both = [queue.submit([[2]]), queue.submit([[3]])]
    engine.released.release()
    engine.await_batch()
    assert both[0].cancel()
    engine.released.release(10)
    assert both[1].result(TIMEOUT_S).tolist() == [[3, 1]]
    assert queue.submit([[4]]).result(TIMEOUT_S).tolist() == [[4, 1]]


def test_what_expired_while_waiting_is_not_run(queue: EngineQueue, engine: HeldEngine, clock: Clock) -> None:
    """A request past its deadline fails with DeadlineError and costs the engine nothing."""
    late = queue.submit([[7]] * 10, deadline=5.0)
    on_time = queue.submit([[8]], deadline=50.0)
    clock.now = 6.0
    engine.released.release(10)
    with pytest.raises(DeadlineError):
        late.result(TIMEOUT_S)
    assert on_time.result(TIMEOUT_S).tolist() == [[8, 1]]
    assert not any(7 in ids for batch in engine.batches for ids in batch)
    assert queue.queued == (0, 0, 0)


def test_what_can_not_meet_its_deadline_is_refused_at_once(
    queue: EngineQueue, engine: HeldEngine, clock: Clock
) -> None:
    """A request that would come too late isn't queued, once the engine's speed is known."""
    warm = queue.submit([[1] * 10])  # 10 tokens in 2 s
    engine.released.release()
    engine.await_batch()
    clock.now += 2
    engine.released.release()
    warm.result(TIMEOUT_S)
    running = queue.submit([[1] * 10])
    engine.await_batch()
    queue.submit([[1] * 10])
    with pytest.raises(DeadlineError, match="would pass"):
        queue.submit([[1] * 10], deadline=clock.now + 1)
    assert queue.queued == (1, 1, 10)
    queue.submit([[1] * 10], deadline=clock.now + 1000)
    assert not running.done()


def test_no_sentences_give_no_rows(queue: EngineQueue) -> None:
    """An empty request never reaches the engine."""
    assert queue.submit([]).result(0).shape == (0, 2)


def test_records_say_what_ran(queue: EngineQueue, engine: HeldEngine, records: list[BatchRecord], clock: Clock) -> None:
    """Rows, real and padded tokens, and how long each sentence waited."""
    future = queue.submit([[1, 1], [1, 1, 1]])
    clock.now = 2.0
    engine.released.release(2)
    future.result(TIMEOUT_S)
    engine.released.release(10)
    queue.close(timeout_s=TIMEOUT_S)
    assert (records[1].rows, records[1].tokens, records[1].padded_tokens) == (2, 5, 6)
    assert records[1].queue_s == [2.0, 2.0]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=30), st.integers(1, 3))
def test_accounting_returns_to_zero(requests: list[tuple[int, bool]], workers: int) -> None:
    """Answers are right and the queue ends empty, whatever is submitted and cancelled, on however many workers."""
    with fifo_of(FreeEngine(), workers=workers, max_queue_tokens=10_000) as queue:
        sent = []
        for number, (size, cancel) in enumerate(requests):
            sentences = [[number] * (1 + (number + index) % 9) for index in range(size)]
            future = queue.submit(sentences)
            if cancel:
                future.cancel()
            sent.append((sentences, future))
        for sentences, future in sent:
            if not future.cancelled():
                assert np.array_equal(future.result(TIMEOUT_S), rows_of(sentences))
    assert queue.queued == (0, 0, 0)
