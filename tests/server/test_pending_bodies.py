"""Callers that keep a place, on a clock of the test's own."""

import pytest

from bothends.errors import BothendsError, RequestError
from bothends.server.pending_bodies import PendingBodies
from tests.support.clock import Clock

LATE = RequestError("the request didn't come")


class Caller:
    """A caller that keeps its error."""

    error: BothendsError | None = None

    def fail(self, error: BothendsError) -> None:
        self.error = error


@pytest.fixture
def waiting(patience: Clock) -> PendingBodies:
    return PendingBodies(10.0)


def test_a_caller_has_its_time(waiting: PendingBodies, patience: Clock) -> None:
    """A caller gives way to no other before, and fails once it does."""
    caller = Caller()
    waiting.add(caller, LATE)
    patience.now = 9.9
    assert not waiting.evict_one()
    assert caller.error is None
    patience.now = 10.0
    assert waiting.evict_one()
    assert caller.error is LATE
    assert not waiting.evict_one(), "it has given way already"


def test_the_one_that_took_longest_gives_way(waiting: PendingBodies, patience: Clock) -> None:
    """One at a time: each place that is needed costs one caller."""
    first, second = Caller(), Caller()
    waiting.add(first, LATE)
    patience.now = 1.0
    waiting.add(second, LATE)
    patience.now = 20.0
    assert waiting.evict_one()
    assert (first.error, second.error) == (LATE, None)


def test_a_request_that_came_is_safe(waiting: PendingBodies, patience: Clock) -> None:
    """The caller that is waited for no more can't be turned away, and the other way round."""
    caller, other = Caller(), Caller()
    waiting.add(caller, LATE)
    waiting.add(other, LATE)
    assert waiting.remove(caller)
    patience.now = 20.0
    assert waiting.evict_one()
    assert caller.error is None
    assert not waiting.remove(other), "it had its time"


def test_who_has_left_gives_no_place(waiting: PendingBodies, patience: Clock) -> None:
    """One that is still there gives way."""
    gone, slow = Caller(), Caller()
    left = waiting.add(gone, LATE)
    waiting.add(slow, LATE)
    left.cancel()
    assert len(waiting) == 1
    patience.now = 20.0
    assert waiting.evict_one()
    assert (gone.error, slow.error) == (None, LATE)
    assert len(waiting) == 0
