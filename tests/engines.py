"""Engines that a test holds in its hand, and a batcher in front of one: no model, no clock but the test's."""

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bothends.batcher import Batcher
from bothends.engine import TokenIds

PATIENCE_S = 10


class HeldEngine:
    """Runs one batch at a time, each only when the test lets it; a sentence's row is its sum and its length."""

    dimension = 2

    def __init__(self) -> None:
        self.batches: list[list[TokenIds]] = []
        self.entered = threading.Semaphore(0)
        self.released = threading.Semaphore(0)

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        self.batches.append(list(sentences))
        self.entered.release()
        assert self.released.acquire(timeout=PATIENCE_S)
        return rows_of(sentences)

    def await_batch(self) -> None:
        assert self.entered.acquire(timeout=PATIENCE_S)


class FreeEngine:
    """The same rows, at once."""

    dimension = 2

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        return rows_of(sentences)


class Clock:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def rows_of(sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
    return np.array([[sum(ids), len(ids)] for ids in sentences], dtype=np.float32)


def batcher_of(engine: HeldEngine | FreeEngine, **changes: object) -> Batcher:
    options: dict[str, object] = {
        "workers": 1,
        "max_batch_rows": 4,
        "max_batch_tokens": 1000,
        "max_queue_tokens": 100,
        "overhead_rows": 1.5,
        "observe": lambda record: None,
    }
    return Batcher(engine, **(options | changes))  # type: ignore[arg-type]
