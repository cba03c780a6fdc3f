"""Queue of sentences in front of the engines, with the worker threads that batch them and give callers their rows.

The unit of work is a sentence: a request of 500 sentences is handled like 500 requests of one. Nothing waits while a
worker is free, except for a moment where a model's steps cost so much that a larger batch is worth the wait. On a CPU,
a thread that reads requests and writes answers would take a core away from computing, so the threads that run batches
do that too (docs/decisions/0006). One lock guards all state.
"""

import logging
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from functools import partial

from opentelemetry.trace import Span

from ..engines.contract import BatchRecord, Engine, TokenIds
from ..errors import DrainingError, EngineError
from ..observe import tracing
from .budgets import Budgets, Terms
from .pollers import LOOK_S, Pollers
from .request import Depth, Request, Sentence, Stuck, WorkSource
from .runner import Runner, fail
from .scheduler import Scheduler
from .threads import PerThreadTask, WorkerThreads
from .watchdog import Run, Watchdog

_log = logging.getLogger(__name__)
_SLEEP_S = 2.0  # in the source's `pull`, when nothing comes
_LEFT_S = 0.02  # there, while batches wait and the thread is left to others
_RELAY_S = 0.00025
"""Seconds of a run from which on another thread is woken to look at the source; for a shorter one it isn't worth it."""


class Batcher(AbstractContextManager["Batcher"]):
    """Bounded queue of sentences in front of the engines, emptied by worker threads that batch sentences of similar
    length.
    """

    def __init__(
        self,
        budgets: Budgets,
        *,
        workers: int,
        engine_timeout_s: float,
        spare_core: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Run at most `workers` batches at once, and give up one that takes longer than `engine_timeout_s`.

        `budgets` limit what waits, and are the largest of all models'. `spare_core` means that engines run on a GPU,
        and leave a core free: one more thread then takes and delivers meanwhile. `clock` and `sleep` are the time, in
        seconds.
        """
        self._runner = Runner(at_once=workers, clock=clock)
        self._waiting = Scheduler(budgets, self._runner.seconds_for)
        self.workers = workers
        self._spare_core = spare_core
        self._clock = clock
        self._sleep = sleep if budgets.max_wait_s else None
        self._closed = False
        self._task: PerThreadTask | None = None
        self._pollers = Pollers(workers, clock, spare_core=spare_core)
        self._has_lookout = False  # a thread that waits, and wakes in time to look at the source
        self._changed = threading.Condition()
        self._engine_timeout_s = engine_timeout_s
        self._running = 0  # batches that run, or that a thread has taken to run
        self._watchdog = Watchdog(engine_timeout_s, self._abandon, clock=clock, also=self._abandon_pulls)
        self.threads = WorkerThreads(self._work, workers + 1 + spare_core, name="bothends-worker")

    @property
    def queued(self) -> Depth:
        """Number of requests, sentences and tokens that wait now."""
        with self._changed:
            return self._waiting.depth

    @property
    def wait_s(self) -> float:
        """Estimated wait, in seconds, of a sentence of usual length that arrives now."""
        with self._changed:
            return self._waiting.wait_s

    @property
    def max_pulling(self) -> int:
        """Most threads that pull from the source at once."""
        return self._pollers.max_threads

    @property
    def _wanted(self) -> int:
        with self._changed:
            return max(0, self._waiting.wanted)

    def pull_from(self, source: WorkSource) -> None:
        """Submit whatever arrives at `source`, until it ends."""
        with self._changed:
            self._pollers.begin_with(source)
            self._changed.notify(self.workers)

    def submit(
        self,
        sentences: Sequence[TokenIds],
        *,
        engine: Engine,
        terms: Terms,
        deadline: float | None = None,
        span: Span = tracing.NO_SPAN,
        caller: Hashable = None,
    ) -> Request:
        """Queue sentences of at least one token each; the future holds `engine`'s float32 [sentences, dimension].

        `terms` belong to the engine's model. `deadline` is a time of the batcher's clock. Requests of one `caller`
        share one part of the time, over all models. Cancelling the future frees the queue space of the sentences that
        still wait. Raises OverloadedError, DrainingError or DeadlineError, and then nothing was queued. The future
        raises DeadlineError, EngineError, or NotServingError.
        """
        request = Request(len(sentences), engine, terms, deadline, self._forget, span, caller=caller)
        if not sentences:
            request.settle(request.rows)
            return request
        with self._changed:
            if self._closed:
                raise DrainingError("the server is stopping")
            self._waiting.put(request, sentences, now=self._clock())
            if not self._pollers.has_this_thread():  # who pulls will run it, too
                self._wake(len(sentences))
        return request

    def refuse_if_full(self, min_tokens: int) -> None:
        """Raise OverloadedError if even a request of `min_tokens` tokens would find no room in the queue."""
        with self._changed:
            self._waiting.refuse_if_full(min_tokens)

    def ran(self, record: BatchRecord, terms: Terms) -> None:
        """Record a batch that ran elsewhere, with the model of these `terms`, so that estimates and metrics include
        it.
        """
        self._runner.ran(record, terms)

    def in_each_thread(self, act: Callable[[], None], *, timeout_s: float) -> bool:
        """Make each thread that runs batches call `act` once, between two batches; returns True if all did within
        `timeout_s`.
        """
        task = PerThreadTask(act, self.threads.idents)
        with self._changed:
            self._task = task
            self._pollers.wake(self.workers)
            self._changed.notify_all()
        return task.wait(timeout_s)

    def close(self, *, timeout_s: float) -> bool:
        """Finish what waits, and stop, after the source has ended; returns False if some requests failed with
        DrainingError.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.threads.join(timeout_s)
        with self._changed:
            running = {sentence.request for run in self._watchdog.close() for sentence in run.batch}
            left = running | self._waiting.drain()
        for request in left:
            request.settle(DrainingError("the server stopped before the answer was ready"))
        with self._changed:
            self._changed.notify_all()  # nothing waits now: threads that waited for their turn may go
        return not left

    def abandon_overdue(self) -> None:
        """Give up each run that has taken longer than `engine_timeout_s`: its callers get an EngineError, and its
        thread is replaced.

        The watchdog's thread calls this several times in that period.
        """
        self._watchdog.check()

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
                if self._task is not None and self._task.is_for_this_thread:
                    return partial(self._run_task, self._task)
                source = self._pollers.source
                is_ready = bool(self._waiting) and self._may_run(source)
                if source and self._pollers.may_begin(self._running) and not (is_ready and has_pulled):
                    self._pollers.begin(sleeps=not is_ready)
                    wait_s = 0.0 if is_ready else _LEFT_S if self._waiting else _SLEEP_S
                    return partial(self._pull, source, wait_s)
                if is_ready and (batch := self._waiting.take_batch()):
                    self._running += 1
                    if self._waiting or not (self._pollers.asleep or self._has_lookout):
                        self._wake(1)  # another one may run what waits, or look after what comes meanwhile
                    return partial(self._process, batch)
                if source and self._pollers.is_unattended():
                    return partial(source.pull, self._wanted, 0.0, may_run=False)
                if self._closed and not self._waiting:
                    self._changed.notify()  # the next one may go too
                    return None
                self._wait()

    def _may_run(self, source: WorkSource | None) -> bool:
        """Return True if one more batch may run. While callers come whom the source serves, they have a thread."""
        if self._running + self._pollers.slots >= self.workers:
            return False
        is_last = 0 < self._running == self.workers - 1
        return not (is_last and source is not None and source.has_hasty_callers)

    def _run_task(self, task: PerThreadTask) -> bool:
        task.do()
        return False

    def _process(self, batch: list[Sentence]) -> bool | None:
        """Run a batch and deliver its rows. Returns None if the run was given up meanwhile, and this thread with it."""
        run = self._watchdog.begin(batch)
        try:
            self._relay_before(batch)
            ran = self._runner.run(batch)
        except Exception as error:  # a bug of ours: what an engine raises is the runner's business
            ran = fail(batch, error)
        if not self._watchdog.end(run):
            return None
        if self._spare_core:
            self._end_run()  # the engine need not wait for these rows to leave
        try:
            if ran:
                with self._pollers.gathering():
                    self._runner.deliver(ran)
        except Exception as error:  # a bug of ours: those who have no rows yet are told
            fail(batch, error)
        if not self._spare_core:
            self._end_run()
        return False

    def _relay_before(self, batch: list[Sentence]) -> None:
        """Wake another thread to look at the source, where this one will be busy for long."""
        if (source := self._pollers.source) and self._pollers.asleep:
            work = sum(len(sentence.ids) for sentence in batch) * batch[0].request.terms.cost
            if self.workers * self._runner.seconds_for(work) >= _RELAY_S:
                source.hand_over_polling()

    def _end_run(self) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify(self._spare_core)

    def _abandon(self, run: Run) -> None:
        """Answer the callers of a run that hangs."""
        _log.error("a model run of %d sentences takes too long and is given up", len(run.batch))
        with self._changed:
            self._running -= 1
            self._changed.notify_all()
        for request in {sentence.request for sentence in run.batch}:
            request.settle(EngineError("the model run took too long and was given up", hung=True))
        request = run.batch[0].request
        self._replace(Stuck(run.thread, request.engine, request.terms))

    def _wake(self, threads: int) -> None:
        """Wake sleeping threads for the sentences that wait now."""
        if not self._pollers.wake(threads):
            self._changed.notify(threads)

    def _wait(self) -> None:
        """Wait for a change. While batches run, one of the threads that wait wakes after a while to look."""
        if self._pollers.source is None or not self._running or self._has_lookout:
            self._changed.wait()
            return
        self._has_lookout = True
        self._changed.wait(LOOK_S)
        self._has_lookout = False

    def _pull(self, source: WorkSource, wait_s: float) -> bool | None:
        """Let the source submit what has arrived, or arrives soon. Returns None if the source gave this thread up."""
        goes_on: bool | None = True  # an unforeseen error isn't the source's end
        try:
            goes_on = source.pull(self._wanted, wait_s)
            if self._sleep is not None and goes_on and (pause_s := self._pause_s()):
                self._sleep(pause_s)  # those answered a moment ago ask again, and a step costs them all as one
                goes_on = source.pull(self._wanted, 0.0)
        finally:
            if goes_on is not None:
                self._end_pull(goes_on=goes_on)
        return None if goes_on is None else True

    def _pause_s(self) -> float:
        with self._changed:
            return self._waiting.pause_s

    def _end_pull(self, *, goes_on: bool) -> None:
        with self._changed:
            self._pollers.end(threading.get_ident(), goes_on=goes_on)

    def _abandon_pulls(self, lost_s: Callable[[int], float]) -> None:
        """Replace threads that hang in a run of the source's own, and start those that couldn't be before."""
        self.threads.fill()
        if (source := self._pollers.source) is None:
            return
        for stuck in source.give_up(self._engine_timeout_s, lost_s):
            _log.error("a model run takes too long and is given up")
            with self._changed:
                self._pollers.end(stuck.thread, goes_on=True)
                self._changed.notify_all()
            self._replace(stuck)

    def _replace(self, stuck: Stuck) -> None:
        """Start another worker in place of one whose run took too long, and report that."""
        stuck.terms.on_fault("hung", stuck.engine)
        self.threads.replace(stuck.thread)

    def _forget(self, request: Request) -> None:
        with self._changed:
            self._waiting.forget(request)
