"""A model run that doesn't end: its callers are answered, and the server goes on without that thread."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from bothends.engines.contract import Fault, TokenIds
from bothends.errors import EngineError
from tests.support.engines import Clock, FreeEngine, batcher_of, rows_of
from tests.support.until import TIMEOUT_S, until

ENGINE_TIMEOUT_S = 8.0


class Hanging(FreeEngine):
    """Engine that hangs on a sentence of the word 13, until the test is over."""

    def __init__(self) -> None:
        self.hangs = threading.Semaphore(0)
        self.over = threading.Event()
        self.returned = 0

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        if any(13 in ids for ids in sentences):
            self.hangs.release()
            assert self.over.wait(TIMEOUT_S)
            self.returned += 1
        return rows_of(sentences)


@pytest.mark.parametrize("spare_core", [False, True])
def test_a_run_that_hangs_costs_its_callers_an_error_and_nobody_else_anything(spare_core: bool) -> None:
    """A hang on all workers at once, twice over, is got over; what an engine returns after that is dropped."""
    engine, clock, faults = Hanging(), Clock(), list[Fault]()
    with batcher_of(
        engine,
        workers=2,
        engine_timeout_s=ENGINE_TIMEOUT_S,
        clock=clock,
        spare_core=spare_core,
        on_fault=lambda fault, _: faults.append(fault),
    ) as batcher:
        for _ in range(2):
            stuck = [batcher.submit([[13] * length]) for length in (1, 90)]  # too unlike for one batch
            for _ in stuck:
                assert engine.hangs.acquire(timeout=TIMEOUT_S)
            clock.now += ENGINE_TIMEOUT_S - 1
            batcher.abandon_overdue()
            assert not any(future.done() for future in stuck)
            clock.now += 1
            batcher.abandon_overdue()
            for future in stuck:
                with pytest.raises(EngineError, match="took too long"):
                    future.result(TIMEOUT_S)
            assert batcher.submit([[4, 5]]).result(TIMEOUT_S).tolist() == [[9, 2]]
        assert faults == ["hung"] * 4
        engine.over.set()
        until(lambda: engine.returned == len(faults))
        assert batcher.submit([[6]]).result(TIMEOUT_S).tolist() == [[6, 1]]
        engine.over.clear()
        again = []
        for _ in range(2):
            again.append(batcher.submit([[13]]))
            assert engine.hangs.acquire(timeout=TIMEOUT_S)
        again.append(batcher.submit([[13]]))
        assert not engine.hangs.acquire(timeout=0.05)  # two workers run two batches: none was counted off twice
        engine.over.set()
        assert [len(future.result(TIMEOUT_S)) for future in again] == [1, 1, 1]
    assert batcher.queued == (0, 0, 0)


def test_a_check_that_raises_is_not_the_last() -> None:
    """A bug in what is told of one hang keeps no other caller waiting."""
    engine, faults = Hanging(), list[Fault]()

    def on_fault(fault: Fault, _: object) -> None:
        faults.append(fault)
        raise ValueError

    with batcher_of(engine, engine_timeout_s=0.05, on_fault=on_fault) as batcher:
        for _ in range(2):
            with pytest.raises(EngineError):
                batcher.submit([[13]]).result(TIMEOUT_S)
        until(lambda: faults == ["hung", "hung"])  # which is told after the caller
        engine.over.set()


def test_it_looks_by_itself() -> None:
    """A run is given up without a test's help, on the real clock."""
    engine = Hanging()
    with batcher_of(engine, engine_timeout_s=0.05) as batcher:
        with pytest.raises(EngineError):
            batcher.submit([[13]]).result(TIMEOUT_S)
        engine.over.set()
