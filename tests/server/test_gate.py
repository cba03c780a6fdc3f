"""A closed gate lets out, not in."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bothends.errors import DrainingError, OverloadedError
from bothends.server.gate import Gate
from tests.support.until import TIMEOUT_S


@contextmanager
def visiting(gate: Gate) -> Iterator[None]:
    gate.enter()
    try:
        yield
    finally:
        gate.leave()


def test_a_request_inside_may_finish() -> None:
    """Closing waits for them, and refuses those that come meanwhile."""
    gate, inside, leave, closed = Gate(limit=9), threading.Event(), threading.Event(), []

    def visit() -> None:
        with visiting(gate):
            inside.set()
            leave.wait(TIMEOUT_S)

    visitor = threading.Thread(target=visit)
    visitor.start()
    assert inside.wait(TIMEOUT_S)
    closer = threading.Thread(target=lambda: closed.append(gate.close(timeout_s=TIMEOUT_S)))
    closer.start()
    refused = False
    while not refused:
        try:
            with visiting(gate):
                pass
        except DrainingError:
            refused = True
    assert closed == []
    leave.set()
    for thread in (visitor, closer):
        thread.join(TIMEOUT_S)
    assert closed == [True]


def test_a_request_that_stays_can_not_hold_it_for_ever() -> None:
    """Closing reports it after its bound."""
    gate = Gate(limit=9)
    with visiting(gate):
        assert not gate.close(timeout_s=0.01)
    with pytest.raises(DrainingError), visiting(gate):
        pass


def test_a_full_gate_refuses_and_says_when_to_come_back() -> None:
    """One more than the limit has to wait; there is room once one has left."""
    gate = Gate(limit=2)
    with visiting(gate), visiting(gate):
        with pytest.raises(OverloadedError, match="2 requests are in progress") as refused, visiting(gate):
            pass
        assert refused.value.retry_after_s > 0
    with visiting(gate):
        pass
