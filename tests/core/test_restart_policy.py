"""Attempts that fail or hang, counted until a new process alone can help."""

import threading
import time
from queue import SimpleQueue

import pytest

from bothends.batching import lost_time
from bothends.core.restart_policy import RestartPolicy
from bothends.errors import DeviceError
from tests.support.until import TIMEOUT_S


def fail(last: RestartPolicy) -> None:
    with pytest.raises(DeviceError), last.attempt():
        raise DeviceError("CUDA failure 719")


def test_the_third_failure_in_a_row_is_the_last() -> None:
    """One that succeeds in between begins the count anew."""
    reasons: SimpleQueue[str] = SimpleQueue()
    last = RestartPolicy(reasons.put, max_load_s=TIMEOUT_S)
    fail(last)
    fail(last)
    with last.attempt():
        pass
    fail(last)
    fail(last)
    assert reasons.empty()
    fail(last)
    assert reasons.get_nowait() == "3 attempts to load the model anew have failed"


def test_an_attempt_that_hangs_is_told_of_meanwhile() -> None:
    reasons: SimpleQueue[str] = SimpleQueue()
    goes_on = threading.Event()

    def tell(reason: str) -> None:
        reasons.put(reason)
        goes_on.set()

    last = RestartPolicy(tell, max_load_s=0.01)
    with last.attempt():
        assert goes_on.wait(TIMEOUT_S)
    assert reasons.get_nowait() == "loading the model anew hangs"


def test_an_attempt_that_gets_no_processor_is_given_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that waits for a processor all along doesn't hang, however long that takes."""
    reasons: SimpleQueue[str] = SimpleQueue()
    looks = threading.Semaphore(0)

    def waited_all_along(_: int) -> float:
        looks.release()
        return time.monotonic()

    monkeypatch.setattr(lost_time, "waited_for_processor", waited_all_along)
    with RestartPolicy(reasons.put, max_load_s=0.04).attempt():
        for _ in range(40):  # five times as long
            assert looks.acquire(timeout=TIMEOUT_S)
    assert reasons.empty()
