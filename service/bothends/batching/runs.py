"""The batches that run now, each in the thread that took it: watched, delivered, and given up where the engine hangs.

The batcher's lock guards their number.
"""

import logging
import threading
from collections.abc import Callable

from ..errors import EngineError
from .pollers import Pollers
from .request import Request, Sentence, Stuck
from .runner import RanBatch, Runner, fail
from .watchdog import Run, Watchdog

_log = logging.getLogger(__name__)
_RELAY_S = 0.00025
"""Seconds of a run from which on another thread is woken to look at the source; for a shorter one it isn't worth it."""


class Runs:
    """Runs of batches by worker threads, and how many there are."""

    def __init__(
        self,
        runner: Runner,
        pollers: Pollers,
        changed: threading.Condition,
        *,
        workers: int,
        spare_core: bool,
        engine_timeout_s: float,
        clock: Callable[[], float],
        on_hung: Callable[[Stuck], None],
        also: Callable[[Callable[[int], float]], None],
    ) -> None:
        """Run batches by `runner`, between pulls, under the batcher's lock where `changed` says so.

        `on_hung` is called with a run that takes longer than `engine_timeout_s`: nobody waits for its thread or its
        engine any more. `also` is called whenever such runs are looked for, as by a Watchdog.
        """
        self.count = 0
        """Number of batches that run, or that a thread has taken to run."""
        self._runner = runner
        self._pollers = pollers
        self._changed = changed
        self._workers = workers
        self._spare_core = spare_core
        self._on_hung = on_hung
        self._watchdog = Watchdog(engine_timeout_s, self._abandon, clock=clock, also=also)
        self.abandon_overdue = self._watchdog.check

    def process(self, batch: list[Sentence]) -> bool | None:
        """Run a batch and deliver its rows. Returns None where it was given up meanwhile, and this thread with it."""
        run = self._watchdog.begin(batch)
        try:
            self._relay_before(batch)
            ran = self._runner.run(batch)
        except Exception as error:  # a bug of ours: what an engine raises is the runner's business
            ran = fail(batch, error)
        if not self._watchdog.end(run):
            return None
        if self._spare_core:
            self._end()  # the engine need not wait for these rows to leave
        try:
            self._deliver(ran)
        except Exception as error:  # a bug of ours: those who have no rows yet are told
            fail(batch, error)
        if not self._spare_core:
            self._end()
        return False

    def close(self) -> set[Request]:
        """Stop watching; returns the requests whose sentences still run, which nobody will answer otherwise."""
        return {sentence.request for run in self._watchdog.close() for sentence in run.batch}

    def _relay_before(self, batch: list[Sentence]) -> None:
        """Wake another thread to look at the source, where this one will be busy for long."""
        if (source := self._pollers.source) and self._pollers.asleep:
            work = sum(len(sentence.ids) for sentence in batch) * batch[0].request.terms.cost
            if self._workers * self._runner.seconds_for(work) >= _RELAY_S:
                source.hand_over_polling()

    def _deliver(self, ran: list[RanBatch]) -> None:
        if ran:
            with self._pollers.gathering():
                self._runner.deliver(ran)

    def _end(self) -> None:
        with self._changed:
            self.count -= 1
            self._changed.notify(self._spare_core)

    def _abandon(self, run: Run) -> None:
        """Answer the callers of a run that hangs."""
        _log.error("a model run of %d sentences takes too long and is given up", len(run.batch))
        with self._changed:
            self.count -= 1
            self._changed.notify_all()
        for request in {sentence.request for sentence in run.batch}:
            request.settle(EngineError("the model run took too long and was given up", hung=True))
        request = run.batch[0].request
        self._on_hung(Stuck(run.thread, request.engine, request.terms))
