"""Acts at their time, in their order, in one thread."""

import threading
import time

import pytest

from bothends.server.timer import Timer

TIMEOUT_S = 10


def test_each_is_done_when_it_is_due() -> None:
    """The soonest act is first, in whatever order they were asked for, and none is too early."""
    timer, done, over = Timer("test"), list[tuple[str, float]](), threading.Event()
    started = time.monotonic()
    for name, seconds in (("last", 0.2), ("first", 0.0), ("second", 0.1)):
        timer.later(seconds, lambda name=name: done.append((name, time.monotonic() - started)))  # type: ignore[misc]
    timer.later(0.2, over.set)
    assert over.wait(TIMEOUT_S)
    assert [name for name, _ in done] == ["first", "second", "last"]
    assert all(at >= due for (_, at), due in zip(done, (0.0, 0.1, 0.2), strict=True))
    timer.close()


def test_what_is_asked_for_by_an_act_is_done() -> None:
    timer, over = Timer("test"), threading.Event()
    timer.later(0, lambda: timer.later(0, over.set))
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
