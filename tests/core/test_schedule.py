"""Times at which a task is due, on a clock that the test moves."""

import math

from bothends.core.schedule import Schedule
from tests.support.clock import Clock


def test_a_task_is_due_once_its_interval_has_passed() -> None:
    """The interval counts from the last beginning."""
    clock = Clock()
    schedule = Schedule(10, clock=clock)
    assert schedule.due_in_s == 10
    clock.now = 12
    assert schedule.due_in_s == -2
    schedule.restart()
    assert schedule.due_in_s == 10


def test_no_interval_is_never() -> None:
    """A task without an interval is due only where it is hastened."""
    schedule = Schedule(0, clock=Clock())
    assert schedule.due_in_s == math.inf
    schedule.hasten(5)
    assert schedule.due_in_s == 5


def test_a_task_that_takes_long_comes_seldom() -> None:
    """A rest puts off what would be due before its end, and nothing that is due later."""
    clock = Clock()
    schedule = Schedule(10, clock=clock)
    schedule.postpone(100)
    assert schedule.due_in_s == 100
    clock.now = 50
    schedule.postpone(20)
    assert schedule.due_in_s == 50


def test_a_fault_hastens_a_task_that_rests() -> None:
    """A hastened task keeps its distance from the one before, and is never put off by that."""
    clock = Clock()
    schedule = Schedule(3600, clock=clock)
    schedule.postpone(10_000)
    clock.now = 1
    schedule.hasten(5)
    assert schedule.due_in_s == 4
    clock.now = 60
    schedule.hasten(5)
    assert schedule.due_in_s == -55
