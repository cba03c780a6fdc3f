"""A batcher's workers and their source: which thread pulls, when, and which delivers the rows."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import pytest
from numpy.typing import NDArray

from bothends.batching.batcher import Batcher
from bothends.engines.contract import Engine, Fault, TokenIds
from tests.support.engines import Clock, HeldEngine, batcher_of, rows_of
from tests.support.until import TIMEOUT_S

HANGS = 1313
"""A sentence with this word keeps its engine until the test ends."""
A_MOMENT_S = 0.05
"""Time in which what must not happen would have happened on most machines; a slow one misses it, and fails nothing."""


class Inbox:
    """A source that the test fills. A thread that pulls submits what was put, and is remembered."""

    def __init__(self, batcher: Batcher) -> None:
        self.batcher = batcher
        self.letters: deque[tuple[list[TokenIds], Future[list[list[float]]]]] = deque()
        self.came = threading.Condition()
        self.has_ended = False
        self.is_open = threading.Event()  # else the thread that pulls is held after bringing in what came
        self.is_open.set()
        self.brought = threading.Semaphore(0)
        self.pulled_aside = 0  # letters, by threads that have no core
        self.roused = False
        self.hanging: list[tuple[int, Engine]] = []
        self.given_up: set[int] = set()
        self.inside = 0  # the thread that brought something in the last

    def gathering(self) -> AbstractContextManager[None]:
        return nullcontext()

    def put(self, *letters: list[TokenIds]) -> list[Future[list[list[float]]]]:
        """Add all of them at once."""
        found = [(sentences, Future()) for sentences in letters]
        with self.came:
            self.letters.extend(found)
            self.came.notify_all()
        return [future for _, future in found]

    def end(self) -> None:
        """End the source: nothing more is pulled, not even what has come."""
        with self.came:
            self.letters.clear()
            self.has_ended = True
            self.came.notify_all()

    def pull(self, sentences: int, wait_s: float, *, may_run: bool = True) -> bool | None:
        thread = threading.get_ident()
        if wait_s:
            with self.came:
                self.came.wait_for(lambda: self.letters or self.has_ended or self.roused)
                self.roused = False
        brought = 0
        while brought < sentences:
            with self.came:
                if not self.letters:
                    break
                letter, future = self.letters.popleft()
            self.inside = thread
            self.pulled_aside += not may_run
            self.batcher.submit(letter).add_done_callback(self._passing_on(future))
            self.brought.release()
            brought += 1
        if brought:
            assert self.is_open.wait(TIMEOUT_S)
        if thread in self.given_up:
            return None
        return bool(self.letters) or not self.has_ended

    def rouse(self) -> None:
        with self.came:
            self.roused = True
            self.came.notify_all()

    def relay(self) -> None:
        """Do nothing: every thread that sleeps here wakes when something comes."""

    def give_up(self, seconds: float) -> list[tuple[int, Engine]]:
        """Give up what is said to hang, once."""
        hanging, self.hanging = self.hanging, []
        self.given_up |= {thread for thread, _ in hanging}
        return hanging

    def _passing_on(self, future: Future[list[list[float]]]) -> Callable[[Future[object]], None]:
        def pass_on(rows: Future[object]) -> None:
            future.set_result(rows.result(0).tolist())  # type: ignore[attr-defined]

        return pass_on

    def await_brought(self, letters: int = 1, *, moving: Clock | None = None) -> None:
        """Wait until so many more have been submitted, with a clock that moves meanwhile or one that doesn't."""
        end = time.monotonic() + TIMEOUT_S
        for _ in range(letters):
            while not self.brought.acquire(timeout=0.01):
                assert time.monotonic() < end
                if moving is not None:
                    moving.now += 0.006


Fed = Callable[..., Inbox]


class HangingEngine(HeldEngine):
    """Engine that holds each batch, and one for good."""

    def __init__(self) -> None:
        super().__init__()
        self.is_over = threading.Event()

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        if [HANGS] in sentences:
            self.entered.release()
            assert self.is_over.wait(TIMEOUT_S)
            return rows_of(sentences)
        return super().run(sentences)


@pytest.fixture
def engine() -> HangingEngine:
    return HangingEngine()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fed(engine: HangingEngine, clock: Clock) -> Iterator[Fed]:
    """A batcher with an inbox to look after, stopped in the end as a server stops."""
    made, before = [], set(threading.enumerate())

    def start(**changes: object) -> Inbox:
        inbox = Inbox(batcher_of(engine, clock=clock, max_queue_tokens=1000, **changes))
        inbox.batcher.pull_from(inbox)
        made.append(inbox)
        return inbox

    yield start
    for inbox in made:
        inbox.is_open.set()
        engine.is_over.set()
        engine.released.release(1000)
        inbox.end()
        assert inbox.batcher.close(timeout_s=TIMEOUT_S)
    for thread in set(threading.enumerate()) - before:
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_what_comes_is_run_and_answered(fed: Fed, engine: HangingEngine, workers: int) -> None:
    inbox = fed(workers=workers)
    engine.released.release(1000)
    answers = [inbox.put([[number], [number, 1]])[0] for number in range(100)]
    assert [answer.result(TIMEOUT_S) for answer in answers] == [[[n, 1], [n + 1, 2]] for n in range(100)]


def test_a_pause_before_pulling_fills_the_batch(fed: Fed, engine: HangingEngine) -> None:
    """A thread that wakes for a sentence pauses before it pulls, and what comes meanwhile is in the same batch."""
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 1:
            answers.extend(inbox.put([[2]], [[3]]))

    inbox = fed(max_wait_s=0.002, sleep=pause)
    answers: list[Future[list[list[float]]]] = []
    engine.released.release(1000)
    assert inbox.put([[1]])[0].result(TIMEOUT_S) == [[1, 1]]
    assert [answer.result(TIMEOUT_S) for answer in answers] == [[[2, 1]], [[3, 1]]]
    assert sorted(engine.batches[0]) == [[1], [2], [3]]
    assert set(pauses) == {0.002}


def test_what_comes_while_all_run_waits_outside_and_goes_together(fed: Fed, engine: HangingEngine) -> None:
    """A core that computes is not asked to read; the worker that ends its batch pulls all that came."""
    inbox = fed()
    inbox.put([[1]])
    engine.await_batch()
    inbox.await_brought()
    answers = inbox.put([[2]], [[3]], [[4]])
    assert not inbox.brought.acquire(timeout=A_MOMENT_S)
    engine.released.release()
    engine.await_batch()
    assert engine.batches[1] == [[2], [3], [4]]
    engine.released.release()
    assert [answer.result(TIMEOUT_S) for answer in answers] == [[[2, 1]], [[3, 1]], [[4, 1]]]


def test_a_long_batch_does_not_leave_the_source_alone(fed: Fed, engine: HangingEngine, clock: Clock) -> None:
    """The spare thread pulls what came after a few milliseconds, to be queued or refused; it runs nothing."""
    inbox = fed()
    inbox.put([[1]])
    engine.await_batch()
    inbox.await_brought()
    for number in (2, 3):
        inbox.put([[number]])
        inbox.await_brought(moving=clock)
    assert len(engine.batches) == 1
    assert inbox.batcher.queued == (2, 2, 2)
    assert inbox.pulled_aside == 2


def test_an_engine_that_hangs_stops_no_other(fed: Fed, engine: HangingEngine) -> None:
    """A worker pulls, runs and answers as if it were alone, with the other of two hung for good."""
    inbox = fed(workers=2)
    inbox.put([[HANGS]])
    engine.await_batch()
    engine.released.release(5)
    for number in range(5):
        (answer,) = inbox.put([[number]])
        assert answer.result(TIMEOUT_S) == [[number, 1]]


def test_another_worker_takes_what_one_leaves(fed: Fed, engine: HangingEngine) -> None:
    """A worker that slept runs, beside a batch, what didn't fit it."""
    inbox = fed(workers=2)
    inbox.put([[number] for number in range(8)])
    engine.await_batch()
    engine.await_batch()
    assert list(map(len, engine.batches)) == [4, 4]


def test_a_thread_that_is_given_up_in_the_source_is_replaced(fed: Fed, engine: HangingEngine) -> None:
    """The source has answered its callers; another thread is there for the next, and the fault is told."""
    faults: list[tuple[Fault, Engine]] = []
    inbox = fed(on_fault=lambda *fault: faults.append(fault))
    engine.released.release(10)
    inbox.is_open.clear()
    inbox.put([[1]])
    inbox.await_brought()
    inbox.hanging.append((inbox.inside, engine))
    inbox.batcher.abandon_overdue()
    assert faults == [("hung", engine)]
    (answer,) = inbox.put([[2]])
    inbox.await_brought()  # by another thread
    inbox.is_open.set()
    assert answer.result(TIMEOUT_S) == [[2, 1]]


def test_a_thread_that_pulls_takes_a_core_too(fed: Fed, engine: HangingEngine) -> None:
    """A whole batch waits, with one worker, until all that came has been pulled."""
    inbox = fed()
    inbox.is_open.clear()
    inbox.put(*[[[number]] for number in range(8)])
    inbox.await_brought(8)
    assert not engine.entered.acquire(timeout=A_MOMENT_S)
    inbox.is_open.set()
    engine.await_batch()


def test_no_more_is_brought_in_than_a_window_holds(fed: Fed, engine: HangingEngine) -> None:
    """The rest waits outside, where a call that is to be refused still finds it cheap."""
    inbox = fed()
    inbox.put(*[[[2]]] * 100)
    engine.await_batch()
    inbox.await_brought(64)
    assert not inbox.brought.acquire(timeout=A_MOMENT_S)


def test_with_a_core_to_spare_nothing_waits_outside(fed: Fed, engine: HangingEngine) -> None:
    """An engine that computes elsewhere leaves the core to the reader: what comes is queued while it runs."""
    inbox = fed(spare_core=True)
    inbox.put([[1]])
    engine.await_batch()
    inbox.put([[2]], [[3]])
    inbox.await_brought(3)
    assert inbox.batcher.queued == (2, 2, 2)
    engine.released.release()
    engine.await_batch()
    assert engine.batches[1] == [[2], [3]]


def test_in_process_callers_are_served_beside_a_source(fed: Fed, engine: HangingEngine) -> None:
    """A caller that submits from its own thread needs nothing to come to the source."""
    inbox = fed()
    engine.released.release(10)
    assert inbox.batcher.submit([[5]]).result(TIMEOUT_S).tolist() == [[5, 1]]


def test_a_source_that_ends_leaves_the_batcher_at_work(fed: Fed, engine: HangingEngine) -> None:
    inbox = fed(workers=2)
    inbox.end()
    engine.released.release(10)
    for number in range(5):
        assert inbox.batcher.submit([[number]]).result(TIMEOUT_S).tolist() == [[number, 1]]
