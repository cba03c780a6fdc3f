"""A queue whose one worker stands still, and what it is made of."""

from collections.abc import Iterator

import pytest

from bothends.batching import lost_time
from bothends.engines.contract import BatchRecord
from tests.support.clock import Clock
from tests.support.engines import EngineQueue, HeldEngine, fifo_of
from tests.support.until import TIMEOUT_S


@pytest.fixture(autouse=True)
def never_starved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is played: what threads really wait for a processor, on a busy machine, must not count beside it."""
    monkeypatch.setattr(lost_time, "waited_for_processor", lambda _: 0.0)


@pytest.fixture
def engine() -> HeldEngine:
    return HeldEngine()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records() -> list[BatchRecord]:
    return []


@pytest.fixture
def queue(engine: HeldEngine, clock: Clock, records: list[BatchRecord]) -> Iterator[EngineQueue]:
    """One worker, held inside its first batch, so that what is submitted next has to wait."""
    made = fifo_of(engine, clock=clock, observe=records.append)
    first = made.submit([[1]])
    engine.await_batch()
    yield made
    engine.released.release(1000)
    made.close(timeout_s=TIMEOUT_S)
    assert first.done()
