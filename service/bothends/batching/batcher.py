"""Sentences that wait to batches, and their engines' rows back to the callers.

Knows neither onnxruntime nor gRPC. The unit of work is a sentence: a request of 500 is as 500 requests of one. Nothing
waits while a worker is free, but for a moment where a model's steps cost so much that company is worth it.
On a CPU, a thread that reads requests and writes answers takes the core from one that computes. So the threads that run
batches do that too, between batches (docs/decisions/0006). Every field is written under one lock.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import numpy as np
from numpy.typing import NDArray
from opentelemetry.trace import Span

from ..engines.contract import Engine, Fault, Observe, TokenIds
from ..errors import DrainingError, EngineError
from ..observe import tracing
from .request import Depth, Request, Sentence, WorkSource
from .runner import RanBatch, Runner
from .scheduler import Budgets, Scheduler
from .threads import WorkerThreads
from .watchdog import Run, Watchdog

_log = logging.getLogger(__name__)
_MAX_PULL_GAP_S = 0.005
"""Longest time that nothing is pulled from the source while all workers run: a few times a usual batch. Then a spare
thread pulls, so that a long batch, or an engine that hangs, keeps no caller from being refused."""


class Batcher(AbstractContextManager["Batcher"]):
    """A bounded queue of sentences in front of engines, emptied by worker threads that batch by length."""

    def __init__(
        self,
        budgets: Budgets,
        *,
        workers: int,
        engine_timeout_s: float,
        observe: Observe,
        on_fault: Callable[[Fault, Engine], None],
        spare_core: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Run at most `workers` batches at once; one that takes longer than `engine_timeout_s` is given up.
        `on_fault` is called with what an engine did wrong, and must return soon. `spare_core` says that the engine
        computes elsewhere: reading and answering need not wait.
        """
        self._on_fault = on_fault
        self._runner = Runner(at_once=workers, observe=observe, on_fault=partial(on_fault, "raised"), clock=clock)
        self._waiting = Scheduler(budgets, self._runner.seconds_for)
        self._workers = workers
        self._spare_core = spare_core
        self._clock = clock
        self._pause = partial(sleep, budgets.max_wait_s) if budgets.max_wait_s else None
        self._closed = False
        self._running = 0
        self._source: WorkSource | None = None
        self._gathering: Callable[[], AbstractContextManager[None]] = nullcontext
        self._puller: int | None = None  # the thread that pulls from the source
        self._puller_is_awake = False  # and isn't waiting for something to come
        self._has_lookout = False  # a thread that waits, and wakes in time to pull
        self._pulled_at = 0.0
        self._ran: list[RanBatch] = []  # for the puller to deliver
        self._changed = threading.Condition()
        self._watchdog = Watchdog(engine_timeout_s, self._abandon, clock=clock)
        self.abandon_overdue = self._watchdog.check
        self.threads = WorkerThreads(self._work, workers + 1 + spare_core, name="bothends-worker")

    @property
    def queued(self) -> Depth:
        """Requests, sentences and tokens that wait now."""
        with self._changed:
            return self._waiting.depth

    @property
    def wait_s(self) -> float:
        """Estimated wait, in seconds, of a sentence of the usual length that came now."""
        return self._waiting.wait_s

    def pull_from(self, source: WorkSource) -> None:
        """Submit what comes to `source`, until nothing more will."""
        with self._changed:
            self._source = source
            self._gathering = source.gathering
            self._changed.notify()

    def submit(
        self,
        sentences: Sequence[TokenIds],
        *,
        engine: Engine,
        deadline: float | None = None,
        span: Span = tracing.NO_SPAN,
        is_shared: bool = False,
    ) -> Future[NDArray[np.float32]]:
        """Queue sentences of at least one token each; the future holds `engine`'s float32 [sentences, dimension].

        `deadline` is a time of the batcher's clock; `is_shared` says that each sentence is another caller's. Cancelling
        the future frees the places of what still waits. Raises OverloadedError, DrainingError or DeadlineError, and
        then nothing was queued. The future raises DeadlineError, EngineError, or NotServingError.
        """
        request = Request(len(sentences), engine, deadline, self._forget, span, is_shared=is_shared)
        if not sentences:
            request.settle(request.rows)
            return request
        with self._changed:
            if self._closed:
                raise DrainingError("the server is stopping")
            self._waiting.put(request, sentences, now=self._clock())
            if self._puller != threading.get_ident():
                self._changed.notify(len(sentences))
            elif self._waiting.sentences >= self._waiting.max_batch_rows and self._has_room():
                self._changed.notify()  # the puller would have taken less, and will take it itself
        return request

    def refuse_if_hopeless(self, fewest_tokens: int, deadline: float | None) -> None:
        """Raise what `submit` would for want of room or time, even if a request has no more than so many tokens."""
        self._waiting.refuse_if_hopeless(fewest_tokens, deadline, now=self._clock())

    def close(self, *, timeout_s: float) -> bool:
        """Finish what waits, and stop, once a source has ended; returns False where some fails with DrainingError."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.threads.join(timeout_s)
        self._watchdog.close()
        with self._changed:
            left = self._waiting.drain()
        for request in left:
            request.settle(DrainingError("the server stopped before the answer was ready"))
        return not left

    def __exit__(self, *_: object) -> None:
        self.close(timeout_s=30)

    def _work(self) -> None:
        has_pulled: bool | None = False
        while has_pulled is not None and (task := self._next_task(has_pulled=has_pulled)) is not None:
            has_pulled = task()

    def _next_task(self, *, has_pulled: bool) -> Callable[[], bool | None] | None:
        """Wait until there is something to do: pulling comes before a batch, unless this thread has just pulled.
        Returns None when the batcher is closed and nothing waits.
        """
        with self._changed:
            while True:
                is_ready = bool(self._waiting) and self._has_room()
                if (source := self._source) and self._should_pull() and not (is_ready and has_pulled):
                    self._puller = threading.get_ident()
                    self._puller_is_awake = is_ready or not (self._has_room() or self._spare_core)
                    return partial(self._pull, source)
                if is_ready and (batch := self._waiting.take()):
                    self._running += 1
                    if self._has_room() or not self._has_lookout:
                        self._changed.notify()  # some thread has to look after what comes meanwhile
                    return partial(self._process, batch)
                if self._closed and not self._waiting:
                    self._changed.notify()  # the next one may go too
                    return None
                self._wait()

    def _wait(self) -> None:
        """Wait for a change. While batches run, one of the threads that wait wakes after a while to pull."""
        if self._source is None or not self._running or self._has_lookout:
            self._changed.wait()
            return
        self._has_lookout = True
        self._changed.wait(_MAX_PULL_GAP_S)
        self._has_lookout = False

    def _has_room(self) -> bool:
        """Return whether a batch may start: a thread that pulls needs a core too, unless there is one to spare."""
        return self._running + (self._puller_is_awake and not self._spare_core) < self._workers

    def _should_pull(self) -> bool:
        if self._puller is not None:
            return False
        return self._spare_core or self._has_room() or self._clock() - self._pulled_at >= _MAX_PULL_GAP_S

    def _pull(self, source: WorkSource) -> bool:
        """Submit what has come to the source, after a sleep if nothing else is to do; deliver what others ran."""
        goes_on = self._puller_is_awake or source.wait()
        with self._changed:
            self._puller_is_awake = True
        if self._pause and self._waiting.sentences < self._waiting.max_batch_rows:
            self._pause()  # those answered a moment ago ask again, and a step costs them all as one
        while True:
            goes_on = goes_on and source.pull(self._waiting.wanted)
            with self._changed:
                ran, self._ran = self._ran, []
                if not ran:
                    self._puller, self._puller_is_awake, self._pulled_at = None, False, self._clock()
                    self._source = source if goes_on else None
                    return True
            self._deliver(ran)

    def _process(self, batch: list[Sentence]) -> bool | None:
        """Run a batch, and leave its rows to a puller at work: two that write answers would wait for each other.
        Returns None where the batch was given up meanwhile, and this thread with it.
        """
        run = self._watchdog.begin(batch)
        ran = self._runner.run(batch)
        if not self._watchdog.end(run):
            return None
        with self._changed:
            if self._puller_is_awake:
                self._ran += ran
                ran = []
            if self._spare_core:
                self._running -= 1
                self._changed.notify()  # the engine need not wait for these rows to leave
        self._deliver(ran)
        if not self._spare_core:
            with self._changed:
                self._running -= 1
        return False

    def _abandon(self, run: Run) -> None:
        """Answer the callers of a run that hangs, and replace its thread."""
        _log.error("a model run of %d sentences takes too long and is given up", len(run.batch))
        with self._changed:
            self._running -= 1
            self._changed.notify_all()
        self.threads.replace(run.thread)
        for request in {sentence.request for sentence in run.batch}:
            request.settle(EngineError("the model run took too long and was given up", hung=True))
        self._on_fault("hung", run.batch[0].request.engine)

    def _deliver(self, ran: list[RanBatch]) -> None:
        if not ran:
            return
        with self._gathering():
            for batch in ran:
                tracing.link((of.request.span for of in batch.batch), batch.span)
                with self._changed:
                    finished = batch.pass_on()
                for request in finished:
                    request.settle(request.rows)
                self._runner.report(batch.record, batch.span)

    def _forget(self, request: Request) -> None:
        with self._changed:
            self._waiting.forget(request)
