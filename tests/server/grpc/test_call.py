"""Requests that were read and wait, on a clock of the test's own."""

import pytest

from bothends.server.grpc.call import Requests
from tests.support.engines import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    moved = Clock()
    monkeypatch.setattr("bothends.server.grpc.call.monotonic", moved)
    return moved


def line_of(requests: int, clock: Clock, *, seconds: float = 1.0) -> Requests:
    """Requests that wait, each of which takes so many seconds."""
    line = Requests()

    def take(_: bytes | None) -> None:
        clock.now += seconds

    for _ in range(requests):
        line.expect()
        line.put(take, b"")
    return line


def test_a_request_waits_for_those_before_it(clock: Clock) -> None:
    """The lag is what they are likely to take: their number, times the mean of those that were begun."""
    line = line_of(200, clock)
    assert line.lag_s == 0, "how long one takes isn't known yet"
    for _ in range(100):
        line.begin()
    assert line.lag_s == pytest.approx(100 * 1.0, rel=0.01)
    for _ in range(100):
        line.begin()
    assert line.lag_s == 0
    assert not line


def test_idle_time_is_no_part_of_a_requests_time(clock: Clock) -> None:
    """An hour without a request doesn't make the next ones look slow."""
    line = line_of(50, clock)
    while line:
        line.begin()
    clock.now += 3600
    line.expect()
    line.put(lambda _: None, b"")
    line.begin()
    line.expect()
    assert line.lag_s < 2


def test_a_request_that_is_still_being_read_is_ahead_too(clock: Clock) -> None:
    """A flood of calls is let in before the first request's bytes arrive; the next caller has to know of it."""
    line = line_of(3, clock)
    line.begin()
    line.begin()
    before = line.lag_s
    assert before > 0
    line.expect()
    assert line.lag_s == pytest.approx(2 * before)
