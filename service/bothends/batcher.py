"""Sentences that wait to batches, and the engine's rows back to whoever waits for them.

Knows neither onnxruntime nor gRPC: token ids go in, a future of rows comes out. The unit of work is a sentence, not a
request: a request of 500 sentences and 500 requests of one are the same work. An idle worker never waits for company;
batches form only while all workers are busy.

Every field of the queue is guarded by one lock; the engine runs outside it.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .engine import BatchRecord, Engine, TokenIds
from .errors import BothendsError, DeadlineError, DrainingError, EngineError, OverloadedError

_log = logging.getLogger(__name__)

_WINDOW = 64
"""How many of the longest-waiting sentences a batch is chosen from."""


Observe = Callable[[BatchRecord], None]


class _Request:
    """A caller's sentences on their way: rows arrive one batch at a time; the last one settles the future."""

    __slots__ = ("deadline", "future", "missing", "rows")

    def __init__(self, sentences: int, dimension: int, deadline: float | None) -> None:
        self.future: Future[NDArray[np.float32]] = Future()
        self.rows = np.empty((sentences, dimension), dtype=np.float32)
        self.missing = sentences
        self.deadline = deadline

    def settle(self, outcome: NDArray[np.float32] | BothendsError) -> None:
        try:
            if isinstance(outcome, BothendsError):
                self.future.set_exception(outcome)
            else:
                self.future.set_result(outcome)
        except InvalidStateError:
            pass  # the caller cancelled in this very moment; nobody waits


@dataclass(frozen=True, slots=True)
class _Sentence:
    """One waiting sentence and its place in its request."""

    ids: TokenIds
    request: _Request
    index: int
    since: float


class Batcher:
    """A bounded queue of sentences in front of an engine, emptied by worker threads that batch by length."""

    def __init__(
        self,
        engine: Engine,
        *,
        workers: int,
        max_batch_rows: int,
        max_batch_tokens: int,
        max_queue_tokens: int,
        observe: Observe,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start `workers` threads. Budgets count sentences, rows × longest, and waiting tokens."""
        self._engine = engine
        self._max_batch_rows = max_batch_rows
        self._max_batch_tokens = max_batch_tokens
        self._max_queue_tokens = max_queue_tokens
        self._observe = observe
        self._clock = clock
        self._waiting: deque[_Sentence] = deque()
        self._waiting_tokens = 0
        self._tokens_per_s = 0.0
        self._closed = False
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"bothends-engine-{number}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def queued(self) -> tuple[int, int]:
        """Sentences and tokens that wait now."""
        with self._changed:
            return len(self._waiting), self._waiting_tokens

    def submit(self, sentences: Sequence[TokenIds], *, deadline: float | None = None) -> Future[NDArray[np.float32]]:
        """Queue sentences of at least one token each; the future holds rows float32 [sentences, dimension].

        `deadline` is a time of the batcher's clock. Cancelling the future frees the places of what still waits.
        Raises OverloadedError or DrainingError, and then nothing was queued. The future raises DeadlineError,
        EngineError or DrainingError.
        """
        request = _Request(len(sentences), self._engine.dimension, deadline)
        if not sentences:
            request.settle(request.rows)
            return request.future
        tokens = sum(map(len, sentences))
        with self._changed:
            if self._closed:
                raise DrainingError("the server is stopping")
            # An empty queue takes any request, so that the bound can't refuse one for ever.
            if self._waiting and self._waiting_tokens + tokens > self._max_queue_tokens:
                raise OverloadedError(
                    f"the queue is full: {self._waiting_tokens} tokens wait and {self._max_queue_tokens} may",
                    retry_after_s=self._seconds_to_empty(),
                )
            now = self._clock()
            self._waiting.extend(_Sentence(ids, request, index, now) for index, ids in enumerate(sentences))
            self._waiting_tokens += tokens
            self._changed.notify(len(sentences))
        request.future.add_done_callback(lambda future: self._forget(request) if future.cancelled() else None)
        return request.future

    def close(self, *, timeout_s: float) -> bool:
        """Take nothing new, finish what waits, stop. What is left after `timeout_s` fails with DrainingError.

        Returns whether everything was finished.
        """
        end = time.monotonic() + timeout_s
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        with self._changed:
            left = {sentence.request for sentence in self._waiting}
            self._waiting.clear()
            self._waiting_tokens = 0
        for request in left:
            request.settle(DrainingError("the server stopped before the answer was ready"))
        return not left and not any(thread.is_alive() for thread in self._threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close(timeout_s=30)

    def _work(self) -> None:
        while batch := self._next_batch():
            self._run(batch)

    def _next_batch(self) -> list[_Sentence]:
        """Wait for work and take a batch of it; empty when the batcher is closed and nothing waits."""
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closed:
                        return []
                    self._changed.wait()
                batch = self._take()
            now = self._clock()
            expired = {s.request for s in batch if s.request.deadline is not None and s.request.deadline <= now}
            for request in expired:
                request.settle(DeadlineError("the deadline passed while the request waited"))
                self._forget(request)
            # What was cancelled or failed since it was taken is dropped just before it would run.
            if alive := [sentence for sentence in batch if not sentence.request.future.done()]:
                return alive

    def _take(self) -> list[_Sentence]:
        """The longest-waiting sentence and those of the window nearest to it in length, within the budgets."""
        window = [self._waiting[place] for place in range(min(_WINDOW, len(self._waiting)))]
        oldest = len(window[0].ids)
        places = sorted(range(len(window)), key=lambda place: abs(len(window[place].ids) - oldest))
        chosen: list[int] = []
        longest = 0
        for place in places[: self._max_batch_rows]:
            longest = max(longest, len(window[place].ids))
            if chosen and longest * (len(chosen) + 1) > self._max_batch_tokens:
                break
            chosen.append(place)
        for place in sorted(chosen, reverse=True):
            del self._waiting[place]
        batch = [window[place] for place in chosen]
        self._waiting_tokens -= sum(len(sentence.ids) for sentence in batch)
        return batch

    def _run(self, batch: list[_Sentence]) -> None:
        started = self._clock()
        try:
            rows = self._engine.run([sentence.ids for sentence in batch])
            if rows.shape != (len(batch), self._engine.dimension):
                raise ValueError(f"{len(batch)} sentences gave rows of shape {rows.shape}")
        except Exception as error:  # whatever an engine raises, only this batch may fail
            _log.error("a batch of %d sentences failed: %s", len(batch), type(error).__name__)
            for request in {sentence.request for sentence in batch}:
                request.settle(EngineError(f"the model run failed ({type(error).__name__})"))
                self._forget(request)
            return
        record = self._record(batch, started, self._clock() - started)
        self._deliver(batch, rows)
        self._observe(record)

    def _record(self, batch: list[_Sentence], started: float, engine_s: float) -> BatchRecord:
        lengths = [len(sentence.ids) for sentence in batch]
        if engine_s > 0:
            speed = sum(lengths) / engine_s * len(self._threads)
            self._tokens_per_s = speed if not self._tokens_per_s else 0.9 * self._tokens_per_s + 0.1 * speed
        waits = [started - sentence.since for sentence in batch]
        return BatchRecord(len(batch), sum(lengths), len(batch) * max(lengths), engine_s, waits)

    def _deliver(self, batch: list[_Sentence], rows: NDArray[np.float32]) -> None:
        finished = []
        with self._changed:
            for sentence, row in zip(batch, rows, strict=True):
                sentence.request.rows[sentence.index] = row
                sentence.request.missing -= 1
                if not sentence.request.missing:
                    finished.append(sentence.request)
        for request in finished:
            request.settle(request.rows)

    def _forget(self, request: _Request) -> None:
        """Give back the places of a request that nobody waits for any more."""
        with self._changed:
            kept = [sentence for sentence in self._waiting if sentence.request is not request]
            self._waiting_tokens -= sum(len(s.ids) for s in self._waiting if s.request is request)
            self._waiting = deque(kept)

    def _seconds_to_empty(self) -> float:
        """How long the queue lasts at the speed seen lately, seconds; at least a tenth, at most ten."""
        if not self._tokens_per_s:
            return 1.0
        return min(max(self._waiting_tokens / self._tokens_per_s, 0.1), 10.0)
