"""A closed gate lets out, not in."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bothends.errors import DrainingError, OverloadedError
from bothends.server.concurrency_limit import ConcurrencyLimit
from tests.support.until import TIMEOUT_S


@contextmanager
def visiting(concurrency: ConcurrencyLimit) -> Iterator[None]:
    concurrency.enter()
    try:
        yield
    finally:
        concurrency.leave()


def test_a_request_inside_may_finish() -> None:
    """Closing waits for them, and refuses those that come meanwhile."""
    concurrency, inside, leave, closed = ConcurrencyLimit(limit=9), threading.Event(), threading.Event(), []

    def visit() -> None:
        with visiting(concurrency):
            inside.set()
            leave.wait(TIMEOUT_S)

    visitor = threading.Thread(target=visit)
    visitor.start()
    assert inside.wait(TIMEOUT_S)
    closer = threading.Thread(target=lambda: closed.append(concurrency.close(timeout_s=TIMEOUT_S)))
    closer.start()
    refused = False
    while not refused:
        try:
            with visiting(concurrency):
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
    concurrency = ConcurrencyLimit(limit=9)
    with visiting(concurrency):
        assert not concurrency.close(timeout_s=0.01)
    with pytest.raises(DrainingError), visiting(concurrency):
        pass


def test_a_full_gate_refuses_and_says_when_to_come_back() -> None:
    """One more than the limit has to wait; there is room once one has left."""
    concurrency = ConcurrencyLimit(limit=2)
    with visiting(concurrency), visiting(concurrency):
        with pytest.raises(OverloadedError, match="2 requests are in progress") as refused, visiting(concurrency):
            pass
        assert refused.value.retry_after_s > 0
    with visiting(concurrency):
        pass
