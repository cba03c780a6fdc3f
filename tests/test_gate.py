"""A closed gate lets out, not in."""

import threading

import pytest

from bothends.errors import DrainingError
from bothends.gate import Gate

PATIENCE_S = 10


def test_who_is_inside_may_finish() -> None:
    """close waits for them, and refuses whoever comes meanwhile."""
    gate, inside, leave, closed = Gate(), threading.Event(), threading.Event(), []

    def visit() -> None:
        with gate:
            inside.set()
            leave.wait(PATIENCE_S)

    visitor = threading.Thread(target=visit)
    visitor.start()
    assert inside.wait(PATIENCE_S)
    closer = threading.Thread(target=lambda: closed.append(gate.close(timeout_s=PATIENCE_S)))
    closer.start()
    refused = False
    while not refused:
        try:
            with gate:
                pass
        except DrainingError:
            refused = True
    assert closed == []
    leave.set()
    for thread in (visitor, closer):
        thread.join(PATIENCE_S)
    assert closed == [True]


def test_a_visitor_who_stays_can_not_hold_it_for_ever() -> None:
    """close says so after its bound."""
    gate = Gate()
    with gate:
        assert not gate.close(timeout_s=0.01)
    with pytest.raises(DrainingError), gate:
        pass
