"""A batcher's workers and their source: which thread pulls, when, and which delivers the rows."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from bothends.batching.fairqueue import FairQueue
from bothends.batching.request import Stuck
from bothends.engines.contract import Engine, Fault
from tests.support.clock import Clock
from tests.support.engines import EngineBatcher, batcher_of
from tests.support.inbox import HANGS, HangingEngine, Inbox
from tests.support.until import TIMEOUT_S, until

Fed = Callable[..., Inbox]
A_MOMENT_S = 0.05
"""Time in which what must not happen would have happened on most machines; a slow one misses it, and fails nothing."""


@pytest.fixture
def engine() -> HangingEngine:
    return HangingEngine()


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
    assert sorted(map(list, engine.batches[0])) == [[1], [2], [3]]
    assert set(pauses) == {0.002}


def test_a_thread_that_found_nothing_pulls_again(fed: Fed, engine: HangingEngine) -> None:
    """Callers who come after a while in which nobody came are answered as any."""
    inbox = fed()
    engine.released.release(10)
    for number in range(3):
        inbox.wake()
        until(lambda: not inbox.woken)
        (answer,) = inbox.put([[number]])
        assert answer.result(TIMEOUT_S) == [[number, 1]]


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
    inbox.hanging.append(Stuck(inbox.inside, engine, inbox.batcher.terms))
    inbox.batcher.abandon_overdue()
    assert faults == [("hung", engine)]
    (answer,) = inbox.put([[2]])
    inbox.await_brought()  # by another thread
    inbox.is_open.set()
    assert answer.result(TIMEOUT_S) == [[2, 1]]


def test_a_source_that_raises_costs_no_thread(fed: Fed, engine: HangingEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in a pull gives back its place: with one worker, nothing more would be pulled or run."""
    raised = threading.Semaphore(0)

    def raising(*_: object, **__: object) -> bool:
        monkeypatch.undo()
        raised.release()
        raise LookupError

    inbox = fed()
    monkeypatch.setattr(inbox, "pull", raising)
    inbox.wake()
    assert raised.acquire(timeout=TIMEOUT_S)
    engine.released.release(10)
    for number in range(3):
        (answer,) = inbox.put([[number]])
        assert answer.result(TIMEOUT_S) == [[number, 1]]


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


@pytest.mark.parametrize(("spare_core", "expected"), [(False, 2), (True, 3)])
def test_so_many_threads_pull_at_most(fed: Fed, spare_core: bool, expected: int) -> None:
    assert fed(workers=2, spare_core=spare_core).batcher.max_pulling == expected


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


def test_the_queue_stands_still_while_its_wait_is_estimated(
    batcher: EngineBatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks has the lock: a server's threads ask at each look, and others take from the queue meanwhile."""
    asked = []
    with ThreadPoolExecutor(1) as pool:

        def work_before(queue: FairQueue, work: float) -> float:
            with pytest.raises(TimeoutError):  # `queued` needs the lock
                pool.submit(lambda: batcher.queued).result(0.05)
            asked.append(work)
            return 0.0

        batcher.submit([[1, 2, 3]])
        monkeypatch.setattr(FairQueue, "work_before", work_before)
        assert batcher.wait_s == 0
        batcher.submit([[4, 5]], deadline=100.0)
    assert asked == [3, 2]
