"""Attempts that fail or hang, counted until a new process alone can help."""

import threading
from queue import SimpleQueue

import pytest

from bothends.core.last_resort import LastResort
from bothends.errors import DeviceError
from tests.support.until import TIMEOUT_S


def fail(last: LastResort) -> None:
    with pytest.raises(DeviceError), last.attempt():
        raise DeviceError("CUDA failure 719")


def test_the_third_failure_in_a_row_is_the_last() -> None:
    """One that succeeds in between begins the count anew."""
    reasons: SimpleQueue[str] = SimpleQueue()
    last = LastResort(reasons.put, max_load_s=TIMEOUT_S)
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
    last = LastResort(lambda reason: (reasons.put(reason), goes_on.set()), max_load_s=0.01)
    with last.attempt():
        assert goes_on.wait(TIMEOUT_S)
    assert reasons.get_nowait() == "loading the model anew hangs"
