"""A closed gate lets out, not in."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bothends.errors import DrainingError, OverloadedError
from bothends.server.concurrency_limit import ConcurrencyLimit, linger
from tests.support.clock import Clock
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


@pytest.mark.parametrize(
    ("callers", "timeout_s", "takes_s"),
    [(0, 9, 0.5), (2, 9, 0.4 + 0.4 + 0.5), (99, 9, 2.0), (99, 0.7, 0.7), (99, -1, 0)],
)
def test_a_stopping_server_goes_on_refusing_until_nobody_has_come_for_a_while(
    callers: int, timeout_s: float, takes_s: float
) -> None:
    """Each caller that it refuses makes it stay longer, but not beyond its bound, nor for more than two seconds."""
    clock, came = Clock(), iter(range(callers))
    concurrency = ConcurrencyLimit(limit=2, clock=clock)
    assert concurrency.close(timeout_s=0)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds - 0.1)
        if next(came, None) is not None:
            with pytest.raises(DrainingError):
                concurrency.enter()
        clock.sleep(0.1)

    linger(concurrency.quiet_s, enough_s=0.5, timeout_s=timeout_s, clock=clock, sleep=sleep)
    assert clock.now == pytest.approx(takes_s)
