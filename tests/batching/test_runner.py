"""Engines that go wrong cost an answer only to the sentence to blame; the time that work will take is estimated."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from bothends.batching.request import Request
from bothends.batching.runner import Throughput
from bothends.engines.contract import BatchRecord, TokenIds
from bothends.errors import EngineError, NotServingError
from tests.support.engines import FreeEngine, fifo_of
from tests.support.garbage import left_in_circles
from tests.support.until import TIMEOUT_S


def test_a_poisonous_sentence_fails_alone() -> None:
    """A batch that fails is split and run again: all but the one to blame are answered, whatever their place."""

    class Poisoned(FreeEngine):
        def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
            if any(13 in ids for ids in sentences):
                raise RuntimeError("secret words")
            return super().run(sentences)

    with fifo_of(Poisoned()) as queue:
        futures = [queue.submit([[number, number]]) for number in range(30)]
        for number, future in enumerate(futures):
            if number == 13:
                with pytest.raises(EngineError, match="the model run failed") as failed:
                    future.result(TIMEOUT_S)
                assert "secret" not in str(failed.value)
            else:
                assert future.result(TIMEOUT_S).tolist() == [[2 * number, 2]]
    assert queue.queued == (0, 0, 0)


def test_an_engine_that_returns_too_few_rows_is_a_failure() -> None:
    """A wrong shape fails the batch; it can't give one caller another's rows, or kill the worker."""

    class Short(FreeEngine):
        def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
            return super().run(sentences)[:-1]

    with fifo_of(Short()) as queue:
        for _ in range(3):
            with pytest.raises(EngineError):
                queue.submit([[1], [2]]).result(TIMEOUT_S)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_no_vector_is_a_failure_of_its_sentence(number: float) -> None:
    """NaN and infinity reach no caller; the mates of that sentence are answered."""

    class Poisoned(FreeEngine):
        def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
            rows = super().run(sentences)
            rows[[ids == [13, 13] for ids in sentences], 1] = number
            return rows

    with fifo_of(Poisoned()) as queue:
        futures = [queue.submit([[word, word]]) for word in range(30)]
        for word, future in enumerate(futures):
            if word == 13:
                with pytest.raises(EngineError):
                    future.result(TIMEOUT_S)
            else:
                assert future.result(TIMEOUT_S).tolist() == [[2 * word, 2]]


def test_an_observer_that_raises_costs_nobody_an_answer() -> None:
    """Measuring can't end the worker."""

    def observe(record: BatchRecord) -> None:
        raise ValueError(record)

    with fifo_of(FreeEngine(), observe=observe) as queue:
        for number in range(3):
            assert queue.submit([[number]]).result(TIMEOUT_S).tolist() == [[number, 1]]


def test_a_failed_request_leaves_nothing_to_the_garbage_collector() -> None:
    """Errors of an engine, its own and the one for whatever else it raises, don't lead back to the request."""

    class Broken(FreeEngine):
        def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
            raise NotServingError("withdrawn") if sentences[0][0] == 1 else RuntimeError("broken")

    with fifo_of(Broken()) as queue:

        def fail() -> None:
            for word, kind in ((1, NotServingError), (2, EngineError)):
                assert isinstance(queue.submit([[word]]).exception(TIMEOUT_S), kind)

        assert left_in_circles(fail, Request) == []


def test_nothing_is_promised_before_anything_was_seen() -> None:
    assert Throughput().seconds_for(1e9) == 0


def test_work_in_two_places_goes_twice_as_fast() -> None:
    seen = Throughput()
    seen.record(100, 0.5, at_once=2)
    assert seen.seconds_for(400) == 1


def test_one_slow_batch_moves_the_estimate_a_tenth_of_the_way() -> None:
    """Noise must not refuse callers; a lasting change must be believed."""
    seen = Throughput()
    seen.record(1000, 1.0, at_once=1)
    seen.record(100, 1.0, at_once=1)
    assert seen.seconds_for(910) == 1
    for _ in range(60):
        seen.record(100, 1.0, at_once=1)
    assert 8.9 < seen.seconds_for(910) < 9.2


def test_a_clock_that_stood_still_says_nothing() -> None:
    seen = Throughput()
    seen.record(100, 0.0, at_once=1)
    assert seen.seconds_for(100) == 0
