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
from concurrent.futures import Future
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .engine import BatchRecord, Engine, TokenIds
from .errors import DeadlineError, DrainingError, EngineError, OverloadedError
from .work import Request, Sentence

_log = logging.getLogger(__name__)

_WINDOW = 64
"""How many of the longest-waiting sentences a batch is chosen from."""


Observe = Callable[[BatchRecord], None]


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
        self._waiting: deque[Sentence] = deque()
        self._waiting_sentences = self._waiting_tokens = 0  # of live requests only
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
            return self._waiting_sentences, self._waiting_tokens

    def submit(self, sentences: Sequence[TokenIds], *, deadline: float | None = None) -> Future[NDArray[np.float32]]:
        """Queue sentences of at least one token each; the future holds rows float32 [sentences, dimension].

        `deadline` is a time of the batcher's clock. Cancelling the future frees the places of what still waits.
        Raises OverloadedError or DrainingError, and then nothing was queued. The future raises DeadlineError,
        EngineError or DrainingError.
        """
        request = Request(len(sentences), self._engine.dimension, deadline, self._forget)
        if not sentences:
            request.settle(request.rows)
            return request
        tokens = sum(map(len, sentences))
        with self._changed:
            if self._closed:
                raise DrainingError("the server is stopping")
            # An empty queue takes any request, so that the bound can't refuse one for ever.
            if self._waiting_tokens and self._waiting_tokens + tokens > self._max_queue_tokens:
                raise OverloadedError(
                    f"the queue is full: {self._waiting_tokens} tokens wait and {self._max_queue_tokens} may",
                    retry_after_s=self._seconds_to_empty(),
                )
            now = self._clock()
            self._waiting.extend(Sentence(ids, request, index, now) for index, ids in enumerate(sentences))
            self._count(request, len(sentences), tokens)
            self._changed.notify(len(sentences))
        return request

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
            left = {sentence.request for sentence in self._waiting if not sentence.request.done()}
            self._waiting.clear()
        for request in left:
            request.settle(DrainingError("the server stopped before the answer was ready"))
        return not left

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close(timeout_s=30)

    def _work(self) -> None:
        while batch := self._next_batch():
            self._run(batch)

    def _next_batch(self) -> list[Sentence]:
        """Wait for work and take a batch of it; empty when the batcher is closed and nothing waits."""
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closed:
                        return []
                    self._changed.wait()
                batch = self._take()
            now = self._clock()
            for request in {sentence.request for sentence in batch}:
                if request.deadline is not None and request.deadline <= now:
                    request.settle(DeadlineError("the deadline passed while the request waited"))
            # What was cancelled or failed since it was taken is dropped just before it would run.
            if alive := [sentence for sentence in batch if not sentence.request.done()]:
                return alive

    def _take(self) -> list[Sentence]:
        """The longest-waiting sentence and those of the window nearest to it in length, within the budgets."""
        window: list[Sentence] = []
        while self._waiting and len(window) < _WINDOW:
            sentence = self._waiting.popleft()
            if not sentence.request.done():  # the dead gave up their places when they died
                window.append(sentence)
        if not window:
            return []
        oldest = window[0]
        by_nearness = sorted(range(len(window)), key=lambda place: abs(len(window[place].ids) - len(oldest.ids)))
        chosen: set[int] = set()
        longest = 0
        for place in by_nearness[: self._max_batch_rows]:
            longest = max(longest, len(window[place].ids))
            if chosen and longest * (len(chosen) + 1) > self._max_batch_tokens:
                break
            chosen.add(place)
        self._waiting.extendleft(window[place] for place in reversed(range(len(window))) if place not in chosen)
        batch = [window[place] for place in by_nearness if place in chosen]
        for sentence in batch:
            self._count(sentence.request, -1, -len(sentence.ids))
        return batch

    def _run(self, batch: list[Sentence]) -> None:
        started = self._clock()
        try:
            rows = self._engine.run([sentence.ids for sentence in batch])
            if rows.shape != (len(batch), self._engine.dimension):
                raise ValueError(f"{len(batch)} sentences gave rows of shape {rows.shape}")
        except Exception as error:  # whatever an engine raises, only this batch may fail
            _log.error("a batch of %d sentences failed: %s", len(batch), type(error).__name__)
            for request in {sentence.request for sentence in batch}:
                request.settle(EngineError(f"the model run failed ({type(error).__name__})"))
            return
        record = self._record(batch, started, self._clock() - started)
        self._deliver(batch, rows)
        try:
            self._observe(record)
        except Exception:  # whoever measures may be wrong; the next batch is served all the same
            _log.exception("a batch couldn't be recorded")

    def _record(self, batch: list[Sentence], started: float, engine_s: float) -> BatchRecord:
        lengths = [len(sentence.ids) for sentence in batch]
        if engine_s > 0:
            speed = sum(lengths) / engine_s * len(self._threads)
            self._tokens_per_s = speed if not self._tokens_per_s else 0.9 * self._tokens_per_s + 0.1 * speed
        waits = [started - sentence.since for sentence in batch]
        return BatchRecord(len(batch), sum(lengths), len(batch) * max(lengths), engine_s, waits)

    def _deliver(self, batch: list[Sentence], rows: NDArray[np.float32]) -> None:
        finished = []
        with self._changed:
            for sentence, row in zip(batch, rows, strict=True):
                sentence.request.rows[sentence.position] = row
                sentence.request.missing -= 1
                if not sentence.request.missing:
                    finished.append(sentence.request)
        for request in finished:
            request.settle(request.rows)

    def _forget(self, request: Request) -> None:
        """Give back the places of a request that nobody waits for; its sentences are skipped when their turn comes."""
        with self._changed:
            self._count(request, -request.waiting_sentences, -request.waiting_tokens)

    def _count(self, request: Request, sentences: int, tokens: int) -> None:
        request.waiting_sentences += sentences
        request.waiting_tokens += tokens
        self._waiting_sentences += sentences
        self._waiting_tokens += tokens

    def _seconds_to_empty(self) -> float:
        """How long the queue lasts at the speed seen lately, seconds; at least a tenth, at most ten."""
        if not self._tokens_per_s:
            return 1.0
        return min(max(self._waiting_tokens / self._tokens_per_s, 0.1), 10.0)
