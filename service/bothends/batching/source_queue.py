"""Threads that pull from a source of requests, which has a queue of its own and computes what is submitted to it.

The native transport is such a source: its threads read requests, compute sentences and write answers in the turns of
all callers. What Python has read waits there with everybody else's sentences.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial

from opentelemetry.trace import Span

from ..engines.contract import BatchRecord, Engine, TokenIds
from ..errors import DrainingError
from .budgets import Terms
from .request import Depth, Request, Stuck, Ticket, WorkSource
from .runner import report
from .threads import PerThreadTask, WorkerThreads
from .watchdog import Watchdog

_log = logging.getLogger(__name__)
_SLEEP_S = 2.0
"""Seconds for which a thread sleeps in `pull` when nothing comes."""
_LOOK_S, _LOOK_AGAIN_S = 1.0, 0.1
"""Seconds between two looks of a spare thread at whether all others are kept by runs that hang: usually, since each
look wakes an idle server, and while they are.
"""


class SourceQueue:
    """Threads that pull from a source, and submit what its callers want computed."""

    def __init__(
        self, *, workers: int, engine_timeout_s: float, spare: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Compute by `workers` threads, with `spare` more that read and write meanwhile, once there is a source. Runs
        of more than `engine_timeout_s` seconds are given up. `clock` is the time in seconds.
        """
        self.workers = workers
        self.threads_pulling = workers + spare
        """Number of threads that pull from the source."""
        self._engine_timeout_s = engine_timeout_s
        self._source: WorkSource | None = None
        self._is_closed = False
        self._has_ended = threading.Event()
        self._task: PerThreadTask | None = None
        self._changed = threading.Condition()
        self._watchdog = Watchdog(engine_timeout_s, clock=clock, also=self._give_up)
        self.threads = WorkerThreads(self._work, self.threads_pulling, name="bothends-worker")
        self._lookout = WorkerThreads(self._look_out, 1, name="bothends-lookout")

    @property
    def queued(self) -> Depth:
        """Nothing: all that waits does so in the source."""
        return Depth(0, 0, 0)

    @property
    def wait_s(self) -> float:
        """0: the source lets in who needn't wait for too long."""
        return 0.0

    def pull_from(self, source: WorkSource) -> None:
        """Pull from `source`, until it ends."""
        with self._changed:
            self._source = source
            self._changed.notify_all()

    def submit(
        self,
        sentences: Sequence[TokenIds],
        *,
        engine: Engine,
        terms: Terms,
        deadline: float | None = None,
        span: Span,
        ticket: Ticket | None,
    ) -> Request:
        """Queue sentences, as `Queue.submit` says. Raises ValueError without a ticket: only the source's calls may."""
        if (source := self._source) is None:
            raise DrainingError("the server is stopping")
        if ticket is None:
            raise ValueError("only calls of the source have turns in it")
        request = Request(len(sentences), engine, terms, deadline, lambda of: source.forget(of, ticket), span)
        if sentences:
            source.submit(request, sentences, ticket)
        else:
            request.settle(request.no_rows())
        return request

    def refuse_if_full(self, min_tokens: int) -> None:
        """Do nothing: the source says by itself when it has no room."""

    def ran(self, record: BatchRecord, terms: Terms) -> None:
        """Report a batch that the source has run with the model of these `terms`."""
        report(record, terms)

    def in_each_thread(self, act: Callable[[], None], *, timeout_s: float) -> bool:
        """Make each thread that pulls call `act` once; returns True if all did within `timeout_s`."""
        task = PerThreadTask(act, self.threads.idents)
        with self._changed:
            self._task = task
            self._changed.notify_all()
            source = self._source
        if source is not None:
            for _ in range(self.threads_pulling):
                source.wake()
        return task.wait(timeout_s)

    def watching(self, give_up: Callable[[], None]) -> AbstractContextManager[None]:
        """Watch a run outside the source, as `Queue.watching` says."""
        return self._watchdog.watching(give_up)

    def close(self, *, timeout_s: float) -> bool:
        """Stop, after the source has ended; returns True if all threads have within `timeout_s` seconds."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._has_ended.set()
        has_ended = self.join(timeout_s)
        self._watchdog.close()
        return has_ended

    def join(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s` seconds until all threads have returned; returns True if they have."""
        return self.threads.join(timeout_s)

    def abandon_overdue(self) -> None:
        """Give up each run that has taken too long. The watchdog's thread calls this several times in that period."""
        self._watchdog.check()

    def _work(self) -> None:
        while (act := self._next()) is not None:
            if act() is None:
                return

    def _next(self) -> Callable[[], bool | None] | None:
        """Wait for something to do; returns None once the queue is closed and its source has ended."""
        with self._changed:
            while True:
                if self._task is not None and self._task.is_for_this_thread:
                    return partial(_done, self._task)
                if self._source is not None:
                    return partial(self._pull, self._source)
                if self._is_closed:
                    return None
                self._changed.wait()

    def _pull(self, source: WorkSource) -> bool | None:
        """Pull once. Returns None if the source gave this thread up."""
        goes_on = source.pull(_SLEEP_S)
        if goes_on is False:
            with self._changed:
                self._source = None
                self._changed.notify_all()
        return goes_on

    def _look_out(self) -> None:
        """Pull while all other threads are kept, so that whoever needs no model is answered."""
        wait_s = _LOOK_S
        while not self._has_ended.wait(wait_s):
            is_still = (source := self._source) is not None and source.stands_still()
            if source is not None and is_still:
                source.pull(0.0)
            wait_s = _LOOK_AGAIN_S if is_still else _LOOK_S

    def _give_up(self, lost_s: Callable[[int], float]) -> None:
        """Replace threads that hang in a run, and start those that couldn't be before."""
        for threads in (self.threads, self._lookout):
            threads.fill()
        if (source := self._source) is None:
            return
        for stuck in source.give_up(self._engine_timeout_s, lost_s):
            _log.error("a model run takes too long and is given up")
            self._replace(stuck)

    def _replace(self, stuck: Stuck) -> None:
        for threads in (self.threads, self._lookout):
            threads.replace(stuck.thread)
        stuck.terms.on_fault("hung", stuck.engine)


def _done(task: PerThreadTask) -> bool:
    task.do()
    return True
