"""Queue of sentences in order of arrival, for users within a process and for servers without the native transport.

The unit of work is a sentence: sentences of several requests run together, and of those that have come first, the ones
of similar length. The queue is bounded, and knows no callers: who asks for much keeps others waiting. Turns between
callers need the native transport, which has a queue of its own.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import islice

from opentelemetry.trace import Span

from ..engines.contract import BatchRecord, Engine, TokenIds
from ..errors import DeadlineError, DrainingError, EngineError, OverloadedError
from ..observe import tracing
from .budgets import Budgets, Terms
from .choose import choose
from .request import Depth, Request, Ticket
from .runner import Rows, Runner, Sentence, fail
from .threads import PerThreadTask, WorkerThreads
from .watchdog import Watchdog

_log = logging.getLogger(__name__)
_WINDOW = 64
"""Least number of sentences that a batch is chosen from, oldest first: never fewer than it may hold."""


class FifoQueue(AbstractContextManager["FifoQueue"]):
    """Bounded queue of sentences in order of arrival, emptied by worker threads that batch those of similar length."""

    def __init__(
        self,
        budgets: Budgets,
        *,
        workers: int,
        engine_timeout_s: float,
        spare: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Run at most `workers` batches at once, and give up one that takes longer than `engine_timeout_s`.

        `budgets` limit what waits, and are the largest of all models'. `spare` more threads give callers their rows
        while an engine on a GPU computes. `clock` is the time, in seconds.
        """
        self.workers = workers
        self._budgets = budgets
        self._spare = spare
        self._clock = clock
        self._runner = Runner(at_once=workers, clock=clock)
        self._waiting: deque[Sentence] = deque()
        self._dead: set[Request] = set()  # whose sentences are dropped when they are reached
        self._tokens = 0
        self._running: dict[int, list[Sentence]] = {}  # batches, by the thread that runs them
        self._is_closed = False
        self._task: PerThreadTask | None = None
        self._changed = threading.Condition()
        self._watchdog = Watchdog(engine_timeout_s, clock=clock, also=lambda _: self.threads.fill())
        self.threads = WorkerThreads(self._work, workers + spare, name="bothends-worker")

    @property
    def queued(self) -> Depth:
        """Number of requests, sentences and tokens that wait now."""
        with self._changed:
            alive = [sentence for sentence in self._waiting if sentence.request not in self._dead]
            return Depth(len({sentence.request for sentence in alive}), len(alive), self._tokens)

    @property
    def wait_s(self) -> float:
        """Estimated wait, in seconds, of a sentence that arrives now: for all that waits."""
        with self._changed:
            return self._runner.seconds_for(self._work_waiting)

    @property
    def _work_waiting(self) -> float:
        return self._tokens * (self._waiting[0].request.terms.cost if self._waiting else 0.0)

    def submit(
        self,
        sentences: Sequence[TokenIds],
        *,
        engine: Engine,
        terms: Terms,
        deadline: float | None = None,
        span: Span = tracing.NO_SPAN,
        ticket: Ticket | None = None,  # noqa: ARG002  nobody has turns here
    ) -> Request:
        """Queue sentences, as `Queue.submit` says."""
        request = Request(len(sentences), engine, terms, deadline, self._forget, span)
        if not sentences:
            request.settle(request.no_rows())
            return request
        rows, tokens = Rows(request), sum(map(len, sentences))
        with self._changed:
            if self._is_closed:
                raise DrainingError("the server is stopping")
            self._refuse_if_full(tokens)
            now = self._clock()
            needed = self._runner.seconds_for(self._work_waiting + tokens * terms.cost)
            if deadline is not None and now + needed > deadline:
                raise DeadlineError(f"the deadline would pass: about {needed:.3f} s of work come first")
            added = [Sentence(ids, request, index, now, rows) for index, ids in enumerate(sentences)]
            added.sort(key=_length, reverse=True)  # so that neighbours have similar lengths, and long ones come first
            self._waiting += added
            self._tokens += tokens
            self._changed.notify(len(sentences))
        return request

    def refuse_if_full(self, min_tokens: int) -> None:
        """Raise OverloadedError if even a request of `min_tokens` tokens would find no room."""
        with self._changed:
            self._refuse_if_full(min_tokens)

    def ran(self, record: BatchRecord, terms: Terms) -> None:
        """Record a batch that ran elsewhere, with the model of these `terms`, for estimates and metrics."""
        self._runner.ran(record, terms)

    def in_each_thread(self, act: Callable[[], None], *, timeout_s: float) -> bool:
        """Make each worker thread call `act` once, between two batches; returns True if all did within `timeout_s`."""
        task = PerThreadTask(act, self.threads.idents)
        with self._changed:
            self._task = task
            self._changed.notify_all()
        return task.wait(timeout_s)

    def watching(self, give_up: Callable[[], None]) -> AbstractContextManager[None]:
        """Watch a run outside the queue, as `Queue.watching` says."""
        return self._watchdog.watching(give_up)

    def close(self, *, timeout_s: float) -> bool:
        """Finish what waits, and stop; returns False if some requests failed with DrainingError."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self.threads.join(timeout_s)
        self._watchdog.close()
        with self._changed:
            left = {sentence.request for batch in (*self._running.values(), self._waiting) for sentence in batch}
            left -= self._dead
            self._waiting.clear()
            self._tokens = 0
            self._changed.notify_all()
        for request in left:
            request.settle(DrainingError("the server stopped before the answer was ready"))
        return not left

    def join(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s` seconds until all threads have returned; returns True if they have."""
        return self.threads.join(timeout_s)

    def abandon_overdue(self) -> None:
        """Give up each run that has taken too long. The watchdog's thread calls this several times in that period."""
        self._watchdog.check()

    def __exit__(self, *_: object) -> None:
        self.close(timeout_s=30)

    def _refuse_if_full(self, tokens: int) -> None:
        # An empty queue takes any request, so that the bound can't refuse one for ever.
        if self._tokens and self._tokens + tokens > self._budgets.max_queue_tokens:
            raise OverloadedError(
                f"the queue is full: {self._tokens} tokens wait and {self._budgets.max_queue_tokens} may",
                retry_after_s=min(max(self._runner.seconds_for(self._work_waiting), 0.1), 10.0),
            )

    def _work(self) -> None:
        while (act := self._next()) is not None:
            if not act():
                return

    def _next(self) -> Callable[[], bool] | None:
        """Wait until there is something to do. Returns None when the queue is closed and nothing waits."""
        has_paused = False
        with self._changed:
            while True:
                if self._task is not None and self._task.is_for_this_thread:
                    return partial(_done, self._task)
                if self._waiting and len(self._running) < self.workers:
                    if not has_paused and self._is_small():
                        has_paused = True
                        self._changed.wait(self._budgets.max_wait_s)  # a step costs one as much as many
                        continue
                    if batch := self._take_batch():
                        self._running[threading.get_ident()] = batch
                        return partial(self._process, batch)
                    continue
                if self._is_closed and not self._waiting:
                    self._changed.notify_all()
                    return None
                self._changed.wait()

    def _is_small(self) -> bool:
        return self._budgets.max_wait_s > 0 and len(self._waiting) < self._budgets.max_batch_rows

    def _take_batch(self) -> list[Sentence]:
        """Take the oldest sentence, and those of its engine that are cheapest to run with it; an empty list if all were
        cancelled.
        """
        if self._dead:
            self._waiting = deque(sentence for sentence in self._waiting if sentence.request not in self._dead)
            self._dead.clear()
        window = list(islice(self._waiting, max(_WINDOW, self._budgets.max_batch_rows)))
        if not window:
            return []
        # Several models have sentences here, and while one takes over from another, both have.
        first = window[0].request
        of_engine = [sentence for sentence in window if sentence.request.engine is first.engine]
        chosen = choose(
            [len(sentence.ids) for sentence in of_engine],
            max_rows=first.terms.budgets.max_batch_rows,
            max_tokens=first.terms.budgets.max_batch_tokens,
            overhead_rows=first.terms.budgets.overhead_rows,
            pads=first.engine.pads,
        )
        batch = [of_engine[index] for index in chosen]
        taken = set(map(id, batch))
        for _ in window:
            self._waiting.popleft()
        self._waiting.extendleft(sentence for sentence in reversed(window) if id(sentence) not in taken)
        self._tokens -= sum(map(_length, batch))
        return batch

    def _process(self, batch: list[Sentence]) -> bool:
        """Run a batch and deliver its rows. Returns False if the run was given up, and this thread with it."""
        run = self._watchdog.begin(partial(self._abandon, batch, threading.get_ident()))
        try:
            ran = self._runner.run(batch)
        except Exception as error:  # a bug of ours: what an engine raises is the runner's business
            ran = fail(batch, error)
        if not self._watchdog.end(run):
            return False
        if self._spare:
            self._end_run()  # the engine need not wait for these rows to leave
        try:
            self._runner.deliver(ran)
        except Exception as error:  # a bug of ours: those who have no rows yet are told
            fail(batch, error)
        if not self._spare:
            self._end_run()
        return True

    def _end_run(self) -> None:
        with self._changed:
            self._running.pop(threading.get_ident(), None)
            self._changed.notify()

    def _abandon(self, batch: list[Sentence], thread: int) -> None:
        """Answer the callers of a run that hangs, and start another worker."""
        _log.error("a model run of %d sentences takes too long and is given up", len(batch))
        with self._changed:
            self._running.pop(thread, None)
            self._changed.notify_all()
        for request in {sentence.request for sentence in batch}:
            request.settle(EngineError("the model run took too long and was given up", hung=True))
        self.threads.replace(thread)
        first = batch[0].request
        first.terms.on_fault("hung", first.engine)

    def _forget(self, request: Request) -> None:
        """Free the queue space of a request that no caller waits for."""
        with self._changed:
            of = sum(_length(sentence) for sentence in self._waiting if sentence.request is request)
            if of and request not in self._dead:
                self._dead.add(request)
                self._tokens -= of


def _length(sentence: Sentence) -> int:
    return len(sentence.ids)


def _done(task: PerThreadTask) -> bool:
    task.do()
    return True
