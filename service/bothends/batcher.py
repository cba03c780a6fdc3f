"""Sentences that wait to batches, and the engine's rows back to whoever waits for them.

Knows neither onnxruntime nor gRPC: token ids go in, a future of rows comes out. The unit of work is a sentence, not a
request: a request of 500 sentences and 500 requests of one are the same work. Nothing waits while no worker runs;
another one starts beside it only for a whole batch.

Every field of the queue is guarded by one lock; the engine runs outside it.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .engine import BatchRecord, Engine, Observe, TokenIds
from .errors import DeadlineError, DrainingError, EngineError, OverloadedError
from .fairqueue import FairQueue
from .policy import choose
from .throughput import Throughput
from .work import Request, Sentence

_log = logging.getLogger(__name__)

_WINDOW = 64
"""How many of the sentences whose turn is next a batch is chosen from, at least: never fewer than it may hold."""
_PATIENCE_S = 0.02
"""How long a running batch may keep less than a whole one waiting beside idle workers; a few times a usual batch."""

_Ran: TypeAlias = tuple[list[Sentence], NDArray[np.float32], BatchRecord]


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
        overhead_rows: float,
        observe: Observe,
        prepare_thread: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Run at most `workers` batches at once; one thread more, so that none waits for another's answers to leave.

        Budgets count sentences, rows × longest, and waiting tokens.

        `overhead_rows` is what a step of the engine costs besides its rows, in rows (see policy.py);
        `prepare_thread` is called once in each worker.
        """
        self._engine = engine
        self._workers = workers
        self._max_batch_rows = max_batch_rows
        self._max_batch_tokens = max_batch_tokens
        self._max_queue_tokens = max_queue_tokens
        self._overhead_rows = overhead_rows
        self._observe = observe
        self._prepare_thread = prepare_thread
        self._clock = clock
        self._queue = FairQueue()
        self._throughput = Throughput()
        self._closed = False
        self._running = 0
        self._last_start = 0.0
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"bothends-engine-{number}", daemon=True)
            for number in range(workers + 1)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def queued(self) -> tuple[int, int]:
        """Sentences and tokens that wait now."""
        with self._changed:
            return self._queue.sentences, self._queue.tokens

    def submit(self, sentences: Sequence[TokenIds], *, deadline: float | None = None) -> Future[NDArray[np.float32]]:
        """Queue sentences of at least one token each; the future holds rows float32 [sentences, dimension].

        `deadline` is a time of the batcher's clock. Cancelling the future frees the places of what still waits.
        Raises OverloadedError, DrainingError, or DeadlineError where the deadline can't be met, and then nothing was
        queued. The future raises DeadlineError, EngineError or DrainingError.
        """
        request = Request(len(sentences), self._engine.dimension, deadline, self._forget)
        if not sentences:
            request.settle(request.rows)
            return request
        tokens = sum(map(len, sentences))
        with self._changed:
            if self._closed:
                raise DrainingError("the server is stopping")
            self.refuse_if_hopeless(tokens, deadline)
            now = self._clock()
            self._queue.put(request, [Sentence(ids, request, place, now) for place, ids in enumerate(sentences)])
            self._changed.notify(len(sentences))
        return request

    def refuse_if_hopeless(self, tokens: int, deadline: float | None) -> None:
        """Raise what `submit` would for so many tokens: there is no room, or the deadline would pass before all ran."""
        waiting = self._queue.tokens
        # An empty queue takes any request, so that the bound can't refuse one for ever.
        if waiting and waiting + tokens > self._max_queue_tokens:
            raise OverloadedError(
                f"the queue is full: {waiting} tokens wait and {self._max_queue_tokens} may",
                retry_after_s=min(max(self._throughput.seconds_for(waiting), 0.1), 10.0),
            )
        if deadline is not None:
            needed = self._throughput.seconds_for(self._queue.tokens_before(tokens) + tokens)
            if self._clock() + needed > deadline:
                raise DeadlineError(f"the deadline would pass: about {needed:.3f} s of work come first")

    def close(self, *, timeout_s: float) -> bool:
        """Take nothing new, finish what waits, stop. What is left after `timeout_s` fails with DrainingError.

        Returns whether all of it was finished.
        """
        end = time.monotonic() + timeout_s
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        with self._changed:
            left = self._queue.drain()
        for request in left:
            request.settle(DrainingError("the server stopped before the answer was ready"))
        return not left

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close(timeout_s=30)

    def _work(self) -> None:
        self._prepare_thread()
        while batch := self._next_batch():
            try:
                ran = self._run(batch)
            finally:
                self._finished(True)
            for sentences, rows, record in ran:
                self._deliver(sentences, rows)
                self._tell(record)

    def _finished(self, was_running: bool) -> None:
        with self._changed:
            self._running -= was_running
            self._changed.notify()  # what waited for this batch is anybody's now

    def _is_worth_starting(self) -> bool:
        """Whether an idle worker takes what waits now, or leaves it for a busy one that will take more at once.

        A sentence alone costs more than twice one in a full batch, and it waits for the running batch only, or for
        _PATIENCE_S where that takes long.
        """
        if not self._queue or self._running >= self._workers:
            return False
        if self._closed or not self._running or self._queue.sentences >= self._max_batch_rows:
            return True
        return self._clock() - self._last_start >= _PATIENCE_S

    def _next_batch(self) -> list[Sentence]:
        """Wait for work and take a batch of it; empty when the batcher is closed and nothing waits."""
        while True:
            with self._changed:
                while not self._is_worth_starting():
                    if self._closed and not self._queue:
                        return []
                    self._changed.wait(_PATIENCE_S if self._queue else None)
                batch = self._take()
                self._running += bool(batch)
                self._last_start = self._clock()
            now = self._clock()
            for request in {sentence.request for sentence in batch}:
                if request.deadline is not None and request.deadline <= now:
                    request.settle(DeadlineError("the deadline passed while the request waited"))
            # What was cancelled or failed since it was taken is dropped just before it would run.
            if alive := [sentence for sentence in batch if not sentence.request.done()]:
                return alive
            self._finished(bool(batch))

    def _take(self) -> list[Sentence]:
        """The sentence whose turn it is, with the company that costs least."""
        window = self._queue.window(max(_WINDOW, self._max_batch_rows))
        if not window:  # all of them died in this very moment
            return []
        places = choose(
            [len(sentence.ids) for sentence in window],
            must=0,
            max_rows=self._max_batch_rows,
            max_tokens=self._max_batch_tokens,
            overhead_rows=self._overhead_rows,
        )
        batch = [window[place] for place in places]
        self._queue.take(batch)
        return batch

    def _run(self, batch: list[Sentence]) -> list[_Ran]:
        """Run `batch`, or what of it can be run: who can't be is answered here."""
        started = self._clock()
        try:
            rows = self._engine.run([sentence.ids for sentence in batch])
            if rows.shape != (len(batch), self._engine.dimension):
                raise ValueError(f"{len(batch)} sentences gave rows of shape {rows.shape}")
        except Exception as error:  # whatever an engine raises, only the sentence to blame may fail
            _log.error("a batch of %d sentences failed: %s", len(batch), type(error).__name__)
            if len(batch) == 1:
                batch[0].request.settle(EngineError(f"the model run failed ({type(error).__name__})"))
                return []
            middle = len(batch) // 2
            return self._run(batch[:middle]) + self._run(batch[middle:])
        return [(batch, rows, self._record(batch, started, self._clock() - started))]

    def _tell(self, record: BatchRecord) -> None:
        try:
            self._observe(record)
        except Exception:  # whoever measures may be wrong; the next batch is served all the same
            _log.exception("a batch couldn't be recorded")

    def _record(self, batch: list[Sentence], started: float, engine_s: float) -> BatchRecord:
        lengths = [len(sentence.ids) for sentence in batch]
        self._throughput.saw(sum(lengths), engine_s, at_once=self._workers)
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
        with self._changed:
            self._queue.forget(request)
