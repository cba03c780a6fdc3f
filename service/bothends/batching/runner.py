"""Runs batches on their engines, and uses the time they take to estimate how long others will take.

Cancelled requests are left out, and a sentence that can't be run fails alone.
"""

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from opentelemetry.trace import Span

from ..engines.contract import BatchRecord, TokenIds
from ..errors import BothendsError, DeadlineError, EngineError, NotServingError
from ..observe import tracing
from ..observe.unforeseen import error_site, error_text
from .budgets import Terms
from .request import Request

_log = logging.getLogger(__name__)
_WEIGHT = 0.1
"""Weight of the newest figure in the running average of throughput."""


class Rows:
    """Rows of a request, of which some may be missing. Use it from one thread at a time."""

    def __init__(self, request: Request) -> None:
        self.of = request.no_rows()
        """The rows, float32 [sentences, dimension]."""
        self._missing = request.size

    def put(self, index: int, row: NDArray[np.float32]) -> bool:
        """Store the row of the sentence at `index`; returns True if no row is missing now."""
        self.of[index] = row
        self._missing -= 1
        return not self._missing


class Sentence(NamedTuple):
    """Waiting sentence, and where its row goes."""

    ids: TokenIds
    request: Request
    place: int
    since: float
    rows: Rows


class RanBatch(NamedTuple):
    """Batch that has run: its sentences and their rows, float32 [sentences, dimension]."""

    batch: list[Sentence]
    rows: NDArray[np.float32]
    record: BatchRecord
    span: Span

    def pass_on(self) -> list[Sentence]:
        """Give each request its rows; returns a sentence of each that now has all. Call from one thread at a time."""
        pairs = zip(self.batch, self.rows, strict=True)
        return [sentence for sentence, row in pairs if sentence.rows.put(sentence.place, row)]


class Throughput:
    """Running estimate of work per second, in tokens of a model whose cost is 1."""

    def __init__(self) -> None:
        self._per_s = 0.0

    def record(self, work: float, seconds: float, *, at_once: int) -> None:
        """Record `work`, in tokens of a model whose cost is 1, that took `seconds` while `at_once` runs were in
        progress.
        """
        if seconds > 0:
            speed = work / seconds * at_once
            self._per_s += (speed - self._per_s) * (_WEIGHT if self._per_s else 1.0)

    def seconds_for(self, work: float) -> float:
        """Return the estimated seconds that `work` will take; 0 before anything was recorded."""
        return work / self._per_s if self._per_s else 0.0


class Runner:
    """Runs batches, and estimates how long others will take. Safe to use from several threads at once."""

    def __init__(self, *, at_once: int, clock: Callable[[], float]) -> None:
        """Run batches in `at_once` threads."""
        self._at_once = at_once
        self._clock = clock
        self._throughput = Throughput()
        self._delivering = threading.Lock()

    def seconds_for(self, work: float) -> float:
        """Return the estimated seconds that `work` will take; 0 before anything has run."""
        return self._throughput.seconds_for(work)

    def run(self, batch: list[Sentence]) -> list[RanBatch]:
        """Run the sentences of `batch` that are still wanted.

        Requests whose deadline has passed, or that can't be run, fail here.
        """
        now = self._clock()
        requests = {sentence.request for sentence in batch}
        for request in requests:
            if request.deadline is not None and request.deadline <= now:
                request.settle(DeadlineError("the deadline passed while the request waited"))
        if over := {request for request in requests if request.done()}:
            batch = [sentence for sentence in batch if sentence.request not in over]
        return self._run(batch) if batch else []

    def ran(self, record: BatchRecord, terms: Terms) -> None:
        """Record a batch that ran elsewhere, with the model of these `terms`, for estimates and metrics."""
        self._throughput.record(record.tokens * terms.cost, record.engine_s, at_once=self._at_once)
        report(record, terms)

    def deliver(self, ran: list[RanBatch]) -> None:
        """Give callers their rows, and report what ran."""
        for batch in ran:
            tracing.link((sentence.request.span for sentence in batch.batch), batch.span)
            with self._delivering:
                finished = batch.pass_on()
            for sentence in finished:
                sentence.request.settle(sentence.rows.of)
            tracing.ran(batch.span, batch.record)
            report(batch.record, batch.batch[0].request.terms)

    def _run(self, batch: list[Sentence]) -> list[RanBatch]:
        engine, started = batch[0].request.engine, self._clock()
        span = tracing.batch()
        try:
            rows = engine.run([sentence.ids for sentence in batch])
            _check(rows, (len(batch), engine.dimension))
        except NotServingError as error:  # the engine itself knows that its rows are worth nothing
            tracing.failed(span)
            _settle(batch, error.with_traceback(None))  # which leads to the batch, whose requests hold the error
            return []
        except Exception as error:  # whatever an engine raises, only the sentence to blame may fail
            tracing.failed(span)
            _log.error("a batch of %d sentences failed: %s", len(batch), error_text(error))
            if len(batch) == 1:
                _settle(batch, EngineError("the model run failed"))
                batch[0].request.terms.on_fault("raised", engine)
                return []
            middle = len(batch) // 2
            return self._run(batch[:middle]) + self._run(batch[middle:])
        return [RanBatch(batch, rows, self._record(batch, started, pads=engine.pads), span)]

    def _record(self, batch: list[Sentence], started: float, *, pads: bool) -> BatchRecord:
        lengths, engine_s = [len(sentence.ids) for sentence in batch], self._clock() - started
        work = sum(lengths) * batch[0].request.terms.cost
        self._throughput.record(work, engine_s, at_once=self._at_once)
        waits = [started - sentence.since for sentence in batch]
        computed = len(batch) * max(lengths) if pads else sum(lengths)
        return BatchRecord(len(batch), sum(lengths), computed, engine_s, waits)


def report(record: BatchRecord, terms: Terms) -> None:
    """Report the record of a batch to the metrics of its model."""
    try:
        terms.observe(record)
    except Exception as error:  # measuring may go wrong; the next batch is served all the same
        _log.error("a batch couldn't be recorded: %s", error_site(error))


def fail(batch: list[Sentence], error: Exception) -> list[RanBatch]:
    """Fail the callers of a batch that met an unexpected error, if they still wait. Returns an empty list."""
    _log.error("a batch of %d sentences met an unforeseen error: %s", len(batch), error_site(error))
    _settle(batch, EngineError("the batch couldn't be served"))
    return []


def _check(rows: NDArray[np.float32], shape: tuple[int, int]) -> None:
    if rows.shape != shape:
        raise ValueError(f"{shape[0]} sentences gave rows of shape {rows.shape}")
    if not np.isfinite(rows).all():
        raise ArithmeticError("a row holds NaN or infinity")


def _settle(batch: list[Sentence], error: BothendsError) -> None:
    for request in {sentence.request for sentence in batch}:
        request.settle(error)
