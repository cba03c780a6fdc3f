"""Batches through an engine: who has left is left out, who can't be run fails alone. Knows no queue and no thread."""

import logging
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from opentelemetry.trace import Span

from . import tracing
from .engine import BatchRecord, Engine, Observe
from .errors import DeadlineError, EngineError
from .throughput import Throughput
from .work import Sentence

_log = logging.getLogger(__name__)


class Ran(NamedTuple):
    """Sentences and their rows, float32 [sentences, dimension]."""

    batch: list[Sentence]
    rows: NDArray[np.float32]
    record: BatchRecord
    span: Span


class Runner:
    """One engine, and what is known of its speed. Safe to use from several threads at once."""

    def __init__(self, engine: Engine, *, at_once: int, observe: Observe, clock: Callable[[], float]) -> None:
        """`at_once` is how many threads run batches."""
        self.dimension = engine.dimension
        self._engine = engine
        self._at_once = at_once
        self._observe = observe
        self._clock = clock
        self._throughput = Throughput()

    def seconds_for(self, tokens: float) -> float:
        """How long `tokens` will take, seconds; 0 before anything has run."""
        return self._throughput.seconds_for(tokens)

    def run(self, batch: list[Sentence]) -> list[Ran]:
        """Run what of `batch` is still waited for and can be run; who waited too long or can't be run is told here."""
        now = self._clock()
        for request in {sentence.request for sentence in batch}:
            if request.deadline is not None and request.deadline <= now:
                request.settle(DeadlineError("the deadline passed while the request waited"))
        alive = [sentence for sentence in batch if not sentence.request.done()]
        return self._run(alive) if alive else []

    def tell(self, record: BatchRecord, span: Span) -> None:
        """Let whoever measures know of a batch."""
        tracing.ran(span, record)
        try:
            self._observe(record)
        except Exception:  # whoever measures may be wrong; the next batch is served all the same
            _log.exception("a batch couldn't be recorded")

    def _run(self, batch: list[Sentence]) -> list[Ran]:
        started = self._clock()
        span = tracing.batch()
        try:
            rows = self._engine.run([sentence.ids for sentence in batch])
            if rows.shape != (len(batch), self.dimension):
                raise ValueError(f"{len(batch)} sentences gave rows of shape {rows.shape}")
        except Exception as error:  # whatever an engine raises, only the sentence to blame may fail
            tracing.failed(span)
            _log.error("a batch of %d sentences failed: %s", len(batch), type(error).__name__)
            if len(batch) == 1:
                batch[0].request.settle(EngineError(f"the model run failed ({type(error).__name__})"))
                return []
            middle = len(batch) // 2
            return self._run(batch[:middle]) + self._run(batch[middle:])
        return [Ran(batch, rows, self._record(batch, started, self._clock() - started), span)]

    def _record(self, batch: list[Sentence], started: float, engine_s: float) -> BatchRecord:
        lengths = [len(sentence.ids) for sentence in batch]
        self._throughput.saw(sum(lengths), engine_s, at_once=self._at_once)
        waits = [started - sentence.since for sentence in batch]
        return BatchRecord(len(batch), sum(lengths), len(batch) * max(lengths), engine_s, waits)
