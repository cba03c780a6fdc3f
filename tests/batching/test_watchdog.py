"""A model run that doesn't end: its callers are answered, and the server goes on without that thread."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from bothends.batching import lost_time
from bothends.batching.fifo import FifoQueue
from bothends.engines.contract import Fault, TokenIds
from bothends.errors import EngineError
from tests.support.clock import Clock
from tests.support.engines import FreeEngine, fifo_of, rows_of
from tests.support.paths import ROOT
from tests.support.until import TIMEOUT_S, until

ENGINE_TIMEOUT_S = 8.0
STOPPED_S = 20.0
STOPPED = """
import sys
from tests.support.clock import Clock
from tests.support.engines import FreeEngine, fifo_of, rows_of

class Waiting(FreeEngine):
    def run(self, sentences):
        print("running", flush=True)
        sys.stdin.readline()
        return rows_of(sentences)

with fifo_of(Waiting(), engine_timeout_s=10.0) as queue:
    print(queue.submit([[13]]).result(60).tolist(), flush=True)
"""


class Hanging(FreeEngine):
    """Engine that hangs on a sentence of the word 13, until the test is over."""

    def __init__(self) -> None:
        self.hangs = threading.Semaphore(0)
        self.over = threading.Event()
        self.returned = 0
        self.threads: dict[int, int] = {}
        """Thread that hangs in each length of a sentence."""

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        if any(13 in ids for ids in sentences):
            self.threads[len(sentences[0])] = threading.get_ident()
            self.hangs.release()
            assert self.over.wait(TIMEOUT_S)
            self.returned += 1
        return rows_of(sentences)


def passing(clock: Clock, queue: FifoQueue, seconds: float) -> None:
    """Have time pass, and the watchdog look each second."""
    for _ in range(int(seconds)):
        clock.now += 1
        queue.abandon_overdue()


@pytest.mark.parametrize("spare", [0, 1])
def test_a_run_that_hangs_costs_its_callers_an_error_and_nobody_else_anything(spare: int) -> None:
    """A hang on all workers at once, twice over, is got over; what an engine returns after that is dropped."""
    engine, clock, faults = Hanging(), Clock(), list[Fault]()
    with fifo_of(
        engine,
        workers=2,
        engine_timeout_s=ENGINE_TIMEOUT_S,
        clock=clock,
        spare=spare,
        on_fault=lambda fault, _: faults.append(fault),
    ) as queue:
        for _ in range(2):
            stuck = [queue.submit([[13] * length]) for length in (1, 90)]  # too unlike for one batch
            for _ in stuck:
                assert engine.hangs.acquire(timeout=TIMEOUT_S)
            passing(clock, queue, ENGINE_TIMEOUT_S - 1)
            assert not any(future.done() for future in stuck)
            passing(clock, queue, 1)
            for future in stuck:
                with pytest.raises(EngineError, match="took too long"):
                    future.result(TIMEOUT_S)
            assert queue.submit([[4, 5]]).result(TIMEOUT_S).tolist() == [[9, 2]]
        assert faults == ["hung"] * 4
        engine.over.set()
        until(lambda: engine.returned == len(faults))
        assert queue.submit([[6]]).result(TIMEOUT_S).tolist() == [[6, 1]]
        engine.over.clear()
        again = []
        for _ in range(2):
            again.append(queue.submit([[13]]))
            assert engine.hangs.acquire(timeout=TIMEOUT_S)
        again.append(queue.submit([[13]]))
        assert not engine.hangs.acquire(timeout=0.05)  # two workers run two batches: none was counted off twice
        engine.over.set()
        assert [len(future.result(TIMEOUT_S)) for future in again] == [1, 1, 1]
    assert queue.queued == (0, 0, 0)


def test_a_run_in_a_process_that_was_stopped_is_given_its_time() -> None:
    """A process that was stopped, or a machine that was suspended, looks late: what it missed doesn't count."""
    engine, clock, faults = Hanging(), Clock(), list[Fault]()
    with fifo_of(
        engine, engine_timeout_s=ENGINE_TIMEOUT_S, clock=clock, on_fault=lambda fault, _: faults.append(fault)
    ) as queue:
        stuck = queue.submit([[13]])
        assert engine.hangs.acquire(timeout=TIMEOUT_S)
        passing(clock, queue, ENGINE_TIMEOUT_S - 3)
        for _ in range(2):
            clock.now += 1000
            queue.abandon_overdue()
        assert not stuck.done()
        assert not faults
        passing(clock, queue, 1)
        with pytest.raises(EngineError, match="took too long"):  # one that hangs still is
            stuck.result(TIMEOUT_S)
        engine.over.set()


def test_a_run_that_waits_for_a_processor_is_given_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that another thread lost is given to none that hangs."""
    engine, clock, waited = Hanging(), Clock(), dict[int, float]()
    monkeypatch.setattr(lost_time, "waited_for_processor", lambda thread: waited.get(thread, 0.0))
    with fifo_of(engine, workers=2, engine_timeout_s=ENGINE_TIMEOUT_S, clock=clock) as queue:
        starved, stuck = queue.submit([[13]]), queue.submit([[13] * 90])
        for _ in range(2):
            assert engine.hangs.acquire(timeout=TIMEOUT_S)
        passing(clock, queue, 1)
        thread = engine.threads[1]
        for second in range(7):
            waited[thread] = 0.75 * second
            passing(clock, queue, 1)
        assert (starved.done(), stuck.done()) == (False, True)
        passing(clock, queue, 5)
        assert starved.done()
        engine.over.set()


@pytest.mark.slow
def test_a_real_process_that_was_stopped_for_longer_than_a_run_may_take() -> None:
    """A run that goes on when its process does, as after SIGSTOP and SIGCONT, isn't given up."""
    with subprocess.Popen(
        [sys.executable, "-c", STOPPED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "running\n"
        process.send_signal(signal.SIGSTOP)
        time.sleep(STOPPED_S)  # what is tested: no event says that a process is still stopped
        process.send_signal(signal.SIGCONT)
        time.sleep(2)  # longer than a look: one that counted the whole time has given it up
        process.stdin.write("go on\n")
        process.stdin.flush()
        assert process.stdout.readline() == "[[13.0, 1.0]]\n"
        assert process.wait(TIMEOUT_S) == 0


def test_a_check_that_raises_is_not_the_last() -> None:
    """A bug in what is told of one hang keeps no other caller waiting."""
    engine, faults = Hanging(), list[Fault]()

    def on_fault(fault: Fault, _: object) -> None:
        faults.append(fault)
        raise ValueError

    with fifo_of(engine, engine_timeout_s=0.05, on_fault=on_fault) as queue:
        for _ in range(2):
            with pytest.raises(EngineError):
                queue.submit([[13]]).result(TIMEOUT_S)
        until(lambda: faults == ["hung", "hung"])  # which is told after the caller
        engine.over.set()


def test_it_looks_by_itself() -> None:
    """A run is given up without a test's help, on the real clock."""
    engine = Hanging()
    with fifo_of(engine, engine_timeout_s=0.05) as queue:
        with pytest.raises(EngineError):
            queue.submit([[13]]).result(TIMEOUT_S)
        engine.over.set()
