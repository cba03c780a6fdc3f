"""Bugs of ours on a sentence's way: its caller is told, and every worker and place is there for the next."""

import threading
from typing import Any

import pytest

from bothends.batching import fifo
from bothends.batching.runner import RanBatch, Runner
from bothends.engines.contract import Fault
from bothends.errors import EngineError
from tests.support.clock import Clock
from tests.support.engines import FreeEngine, HeldEngine, fifo_of
from tests.support.until import TIMEOUT_S


def breaks_once(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Have a method raise at its next call, and at none after; returns what is set by then."""
    has_raised, original = threading.Event(), getattr(owner, name)

    def breaking(*arguments: Any, **options: Any) -> Any:
        if has_raised.is_set():
            return original(*arguments, **options)
        has_raised.set()
        raise LookupError("a secret")

    monkeypatch.setattr(owner, name, breaking)
    return has_raised


def test_no_room_for_another_thread_costs_those_who_wait_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs hang while none can be started: both callers are told, and others serve once there is room again."""
    engine, clock, faults = HeldEngine(), Clock(), list[Fault]()
    with fifo_of(
        engine, workers=2, engine_timeout_s=8.0, clock=clock, on_fault=lambda fault, _: faults.append(fault)
    ) as queue:
        hanging = [queue.submit([[1] * length]) for length in (1, 90)]  # too unlike for one batch
        for _ in hanging:
            engine.await_batch()
        with monkeypatch.context() as full:
            full.setattr(threading.Thread, "start", refused)
            for _ in range(8):  # more at once is a process that was stopped
                clock.now += 1
                queue.abandon_overdue()
        for future in hanging:
            with pytest.raises(EngineError, match="took too long"):
                future.result(TIMEOUT_S)
        assert faults == ["hung", "hung"]
        queue.abandon_overdue()
        engine.released.release(100)
        assert queue.submit([[4, 5]]).result(TIMEOUT_S).tolist() == [[9, 2]]
        assert len(queue.threads.idents) == 2


def refused(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("spare", [0, 1])
@pytest.mark.parametrize(
    ("owner", "name"), [(Runner, "run"), (Runner, "deliver"), (RanBatch, "pass_on"), (fifo, "choose")]
)
def test_a_bug_costs_its_batch_at_most(
    owner: Any, name: str, spare: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A thread that ended, or a place that stayed taken, would keep all later callers of one worker for ever."""
    has_raised = breaks_once(owner, name, monkeypatch)
    with fifo_of(FreeEngine(), spare=spare) as queue:
        first = queue.submit([[1, 2]])
        if owner is fifo:  # nothing was taken: it still waits, and goes next
            assert first.result(TIMEOUT_S).tolist() == [[3, 2]]
        else:
            with pytest.raises(EngineError, match="the batch couldn't be served"):
                first.result(TIMEOUT_S)
        assert has_raised.is_set()
        for number in range(5):
            assert queue.submit([[number]]).result(TIMEOUT_S).tolist() == [[number, 1]]
        assert queue.queued == (0, 0, 0)
    assert "unforeseen error: LookupError" in caplog.text
    assert "secret" not in caplog.text
