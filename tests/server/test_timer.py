"""Acts at their time, in their order, in one thread."""

import threading
from types import SimpleNamespace

import pytest

from bothends.server.timer import Timer
from tests.support.clock import Clock
from tests.support.until import TIMEOUT_S


def test_each_is_done_when_it_is_due() -> None:
    """The soonest act is first, in whatever order they were asked for, and none is too early."""
    clock, done, over = Clock(), list[str](), threading.Event()
    timer = Timer("test", clock=clock)
    for name, seconds in (("last", 30.0), ("first", 10.0), ("second", 20.0)):
        timer.later(seconds, lambda name=name: done.append(name))  # type: ignore[misc]
    timer.later(0, over.set)
    assert over.wait(TIMEOUT_S)
    assert done == []
    over.clear()
    clock.now = 25.0
    timer.later(0, over.set)
    assert over.wait(TIMEOUT_S)
    assert done == ["first", "second"]
    over.clear()
    clock.now = 30.0
    timer.later(0, over.set)
    assert over.wait(TIMEOUT_S)
    assert done == ["first", "second", "last"]
    timer.close()


def test_what_is_asked_for_by_an_act_is_done() -> None:
    timer, over = Timer("test"), threading.Event()

    def ask() -> None:
        timer.later(0, over.set)

    timer.later(0, ask)
    assert over.wait(TIMEOUT_S)
    timer.close()


def test_an_act_that_raises_costs_itself_only(caplog: pytest.LogCaptureFixture) -> None:
    """Acts that are due later are run; the log names the error's type, and nothing of its text."""

    def stumble() -> None:
        raise KeyError("my secret sentence")

    timer, over = Timer("test"), threading.Event()
    timer.later(0, stumble)
    timer.later(0.01, over.set)
    assert over.wait(TIMEOUT_S)
    timer.close()
    assert "KeyError" in caplog.text
    assert "secret" not in caplog.text


def test_nothing_is_done_after_the_end() -> None:
    """An act that is due in an hour holds nothing up."""
    before = set(threading.enumerate())
    timer, done = Timer("test"), list[None]()
    timer.later(3600, lambda: done.append(None))
    timer.close()
    timer.later(0, lambda: done.append(None))
    assert set(threading.enumerate()) <= before
    assert done == []


class CrossedEvent(threading.Event):
    """An event that is first cleared once it was set meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.is_clearing, self.was_set = threading.Event(), threading.Event()

    def clear(self) -> None:
        self.is_clearing.set()
        assert self.was_set.wait(TIMEOUT_S)
        super().clear()

    def set(self) -> None:
        super().set()
        self.was_set.set()


def test_an_end_in_the_moment_before_the_sleep_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread doesn't wipe out what was to wake it, and sleep for ever."""
    changed = CrossedEvent()
    threads = SimpleNamespace(Event=lambda: changed, Thread=threading.Thread)
    monkeypatch.setattr("bothends.server.timer.threading", threads)
    timer = Timer("test")
    assert changed.is_clearing.wait(TIMEOUT_S)
    closing = threading.Thread(target=timer.close, daemon=True)
    closing.start()
    closing.join(TIMEOUT_S)
    assert not closing.is_alive()
