"""Runs batches on their engines, and uses the time they take to estimate how long others will take.

Cancelled requests are left out, and a sentence that can't be run fails alone.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from opentelemetry.trace import Span

from ..engines.contract import BatchRecord
from ..errors import BothendsError, DeadlineError, EngineError, NotServingError
from ..observe import tracing
from ..observe.unforeseen import error_site, error_text
from .budgets import Terms
from .request import Request, Sentence

_log = logging.getLogger(__name__)
_WEIGHT = 0.1
"""Weight of the newest figure in the running average of throughput."""


class RanBatch(NamedTuple):
    """Batch that has run: its sentences and their rows, float32 [sentences, dimension]."""

    batch: list[Sentence]
    rows: NDArray[np.float32]
    record: BatchRecord
    span: Span
    thread_s: float
    """Seconds of a core that the thread itself used in the engine."""

    def pass_on(self) -> list[Request]:
        """Give each request its rows; returns the requests that now have all rows. Call from one thread at a time."""
        first = self.batch[0].request
        if all(sentence.request is first for sentence in self.batch):
            return [first] if first.put([sentence.position for sentence in self.batch], self.rows) else []
        places: dict[Request, tuple[list[int], list[int]]] = {}
        for row, sentence in enumerate(self.batch):
            positions, rows = places.setdefault(sentence.request, ([], []))
            positions.append(sentence.position)
            rows.append(row)
        return [request for request, (positions, rows) in places.items() if request.put(positions, self.rows[rows])]


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
        now, used_s = self._clock(), time.thread_time()
        requests = {sentence.request for sentence in batch}
        for request in requests:
            if request.deadline is not None and request.deadline <= now:
                request.settle(DeadlineError("the deadline passed while the request waited"))
        if over := {request for request in requests if request.done()}:
            batch = [sentence for sentence in batch if sentence.request not in over]
        if not batch:
            return []
        ran = self._run(batch)
        in_engines_s = sum(each.thread_s for each in ran)
        _share_out(batch, time.thread_time() - used_s - in_engines_s)  # what it took beside
        return ran

    def ran(self, record: BatchRecord, terms: Terms) -> None:
        """Record a batch that ran elsewhere, with the model of these `terms`, for estimates, metrics and traces."""
        self._throughput.record(record.tokens * terms.cost, record.engine_s, at_once=self._at_once)
        self.report(record, terms, tracing.NO_SPAN)

    def deliver(self, ran: list[RanBatch]) -> None:
        """Give callers their rows, and report what ran."""
        for batch in ran:
            tracing.link((sentence.request.span for sentence in batch.batch), batch.span)
            with self._delivering:
                finished = batch.pass_on()
            for request in finished:
                request.settle(request.rows)
            self.report(batch.record, batch.batch[0].request.terms, batch.span)

    def report(self, record: BatchRecord, terms: Terms, span: Span) -> None:
        """Report the record of a batch to metrics and traces."""
        tracing.ran(span, record)
        try:
            terms.observe(record)
        except Exception as error:  # measuring may go wrong; the next batch is served all the same
            _log.error("a batch couldn't be recorded: %s", error_site(error))

    def _run(self, batch: list[Sentence]) -> list[RanBatch]:
        engine = batch[0].request.engine
        started, used_s = self._clock(), time.thread_time()
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
        engine_s, thread_s = self._clock() - started, time.thread_time() - used_s
        _share_out(batch, engine_s)
        return [RanBatch(batch, rows, self._record(batch, started, engine_s, pads=engine.pads), span, thread_s)]

    def _record(self, batch: list[Sentence], started: float, engine_s: float, *, pads: bool) -> BatchRecord:
        lengths = [len(sentence.ids) for sentence in batch]
        work = sum(lengths) * batch[0].request.terms.cost
        self._throughput.record(work, engine_s, at_once=self._at_once)
        waits = [started - sentence.since for sentence in batch]
        computed = len(batch) * max(lengths) if pads else sum(lengths)
        return BatchRecord(len(batch), sum(lengths), computed, engine_s, waits)


def _share_out(batch: list[Sentence], seconds: float) -> None:
    """Give each request its part, by tokens, of the time for which a batch has kept a core."""
    token_s = seconds / max(1, sum(len(sentence.ids) for sentence in batch))
    for sentence in batch:
        sentence.request.run_s += token_s * len(sentence.ids)


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
