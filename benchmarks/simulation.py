"""Calls over time to replicas that schedule as ours do: a discrete-event simulation. Measures nothing, draws nothing.

What decides is the service's own code on a simulated clock: Scheduler (fair turns, batches, refusals), Runner (what
waited too long is left out; how fast work goes), Request. What takes time is a few numbers (costs.py). A replica is one
process with some workers, each of which attends to what has come, runs a batch, answers, as batcher.py has it. Networks
take no time, and a refused call is not sent again.
"""

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bothends.batching.request import Request
from bothends.batching.runner import RanBatch, Runner
from bothends.batching.scheduler import Budgets, Scheduler
from bothends.engines.contract import BatchRecord, TokenIds
from bothends.errors import BothendsError
from costs import READ_SHARE, Costs

BUDGETS = Budgets(max_batch_rows=16, max_batch_tokens=16384, max_queue_tokens=262_144, overhead_rows=1.5)
"""Budgets of `bothends serve` on a CPU where nothing is set."""
_MOST_CALLS = 512
"""The server's `--max-concurrent-requests`."""
_MOST_WAIT = 0.25
"""Share of its time that a call may be expected to wait; it is refused unread where it would be more."""
Fate = Literal["answered", "refused", "expired"]


class Simulation:
    """Simulated time, and the events that are due."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Call `act` at that time; of two at once, the one that was asked for first comes first."""
        self._count += 1
        heapq.heappush(self._due, (when, self._count, act))

    def run(self, until: float = float("inf")) -> None:
        """Run everything that is due by then."""
        while self._due and self._due[0][0] <= until:
            self.now, _, act = heapq.heappop(self._due)
            act()


@dataclass(slots=True, eq=False)
class Call:
    """A request on its way; times are the simulation's, lengths are its sentences', in tokens."""

    lengths: Sequence[int]
    sent: float
    ended: "Callable[[Call, Fate], None]"
    deadline: float | None = None
    caller: int = 0


class _Engine:
    """An engine that takes time in place of a model: it moves its replica's clock ahead, and computes nothing."""

    dimension, pads = 1, False

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self.ahead_s = 0.0

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        self.ahead_s += self._costs.engine_s([len(ids) for ids in sentences])
        return np.zeros((len(sentences), 1), dtype=np.float32)


class Replica:
    """One process: calls that came, calls that wait, and workers that attend, run and answer by turns."""

    def __init__(self, simulation: Simulation, costs: Costs, *, workers: int = 1, budgets: Budgets = BUDGETS) -> None:
        self._simulation = simulation
        self._workers = workers
        self._busy = 0
        self._is_attended = False
        self._engine = _Engine(costs)
        self._costs = costs
        self._runner = Runner(at_once=workers, observe=self._observe, on_fault=_never, clock=self._clock)
        self._waiting = Scheduler(budgets, self._runner.seconds_for)
        self._come: deque[Call] = deque()  # not looked at yet
        self._let_in: deque[Call] = deque()
        self._ran: list[RanBatch] = []  # for the puller to answer
        self._inside = 0
        self.outstanding = 0
        """Calls sent here and not yet ended: what a balancer can know."""
        self.batches = self.rows = 0

    @property
    def queued(self) -> int:
        """Count calls and sentences that wait here, read or not."""
        return len(self._come) + len(self._let_in) + self._waiting.sentences

    def take(self, call: Call) -> None:
        """Take a call that comes."""
        self.outstanding += 1
        self._come.append(call)
        if self._busy < self._workers and not self._is_attended:
            self._attend(self._costs.wake_s)

    def _clock(self) -> float:
        return self._simulation.now + self._engine.ahead_s

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        self._simulation.at(self._simulation.now + seconds, act)

    def _go_on(self, *, has_attended: bool = False) -> None:
        """Choose the next act of a worker that has just become free, and wake those that are needed for what is left.

        The source comes before a batch, unless it has just had attention.
        """
        wake_s = 0.0
        while self._busy < self._workers:
            wants_attention = (self._come or self._let_in) and not self._is_attended
            if wants_attention and not (self._waiting and has_attended):
                self._attend(wake_s)
            elif not (self._waiting and self._run_batch(wake_s)):
                return
            wake_s, has_attended = self._costs.wake_s, False

    def _attend(self, wake_s: float) -> None:
        self._busy += 1
        self._is_attended = True
        self._after(wake_s, self._pull)

    def _pull(self) -> None:
        """Do the puller's next piece: a call that came is let in or refused; one that was let in is read."""
        while self._come:
            call = self._come.popleft()
            if self._is_hopeless(call):
                self._after(self._costs.refuse_s, partial(self._refused, call))
                return
            self._inside += 1
            self._let_in.append(call)
        if self._let_in and self._waiting.wanted > 0:
            call = self._let_in.popleft()
            self._after(READ_SHARE * self._costs.around_s(len(call.lengths)), partial(self._read, call))
        elif self._ran:
            ran, self._ran = self._ran, []
            self._after(self._answer(ran), self._pull)
        else:
            self._is_attended = False
            self._busy -= 1
            self._go_on(has_attended=True)

    def _is_hopeless(self, call: Call) -> bool:
        if self._inside >= _MOST_CALLS:
            return True
        if call.deadline is None:
            return False
        wait_s = self._waiting.wait_s + len(self._let_in) * self._costs.around_s(1)
        return wait_s > _MOST_WAIT * (call.deadline - self._simulation.now)

    def _refused(self, call: Call) -> None:
        self._end(call, "refused")
        self._pull()

    def _read(self, call: Call) -> None:
        request = Request(len(call.lengths), self._engine, call.deadline, self._waiting.forget)
        try:
            self._waiting.put(request, [range(length) for length in call.lengths], now=self._simulation.now)
        except BothendsError:
            self._leave(call, "refused")
        else:
            request.add_done_callback(partial(self._settled, call))
            if self._waiting.sentences >= self._waiting.max_batch_rows and self._busy < self._workers:
                self._run_batch(self._costs.wake_s)
        self._pull()

    def _run_batch(self, wake_s: float) -> bool:
        """Run a batch if there is one; return whether there was."""
        batch = self._waiting.take()
        if not batch:
            return False
        self._busy += 1
        self._engine.ahead_s = wake_s
        ran = self._runner.run(batch)
        took_s, self._engine.ahead_s = self._engine.ahead_s, 0.0
        self._after(took_s, partial(self._has_run, ran))
        return True

    def _has_run(self, ran: list[RanBatch]) -> None:
        """Leave the rows to a puller at work; else the worker that ran them answers."""
        if self._is_attended:
            self._ran += ran
            self._free()
        else:
            self._after(self._answer(ran), self._free)

    def _answer(self, ran: list[RanBatch]) -> float:
        """Answer calls whose last rows these are, one after the other; return the seconds that it takes."""
        took_s = 0.0
        for batch in ran:
            for request in batch.pass_on():
                took_s += (1 - READ_SHARE) * self._costs.around_s(len(request.rows))
                self._after(took_s, partial(request.settle, request.rows))
            self._runner.report(batch.record, batch.span)
        return took_s

    def _free(self) -> None:
        self._busy -= 1
        self._go_on()

    def _observe(self, record: BatchRecord) -> None:
        self.batches += 1
        self.rows += record.rows

    def _settled(self, call: Call, request: Request) -> None:
        self._leave(call, "answered" if request.exception() is None else "expired")

    def _leave(self, call: Call, fate: Fate) -> None:
        self._inside -= 1
        self._end(call, fate)

    def _end(self, call: Call, fate: Fate) -> None:
        self.outstanding -= 1
        call.ended(call, fate)


def _never(_: object) -> None:
    raise AssertionError("a run failed that computes nothing")
