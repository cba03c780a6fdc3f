"""Engines that stand still, and a clock of slow callers, for tests of the server's room."""

import threading
from collections.abc import Iterator

import pytest

from bothends.engines.select import LoadedEngine
from bothends.server.inbound import Outbox
from tests.support.engines import SERVES, Clock

HELD_S = 100
"""Longer than any test takes."""


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """An event without which engines stand still. It is set at first."""
    run, goes_on = SERVES.run, threading.Event()
    goes_on.set()

    def wait(self: LoadedEngine, sentences: list[list[int]]) -> object:
        assert goes_on.wait(HELD_S)
        return run(self, sentences)

    monkeypatch.setattr(SERVES, "run", wait)
    yield goes_on
    goes_on.set()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which callers are slow: no caller is, until a test moves it."""
    clock = Clock()
    monkeypatch.setattr("bothends.server.slow_callers.monotonic", clock)
    return clock


@pytest.fixture
def outbox_waits(monkeypatch: pytest.MonkeyPatch) -> list[Outbox]:
    """Outboxes that a stopping server has begun to wait for. What it doesn't wait for is lost at once."""
    waits, wait = list[Outbox](), Outbox.wait

    def waiting(outbox: Outbox, timeout_s: float) -> bool:
        waits.append(outbox)
        return wait(outbox, timeout_s)

    monkeypatch.setattr(Outbox, "wait", waiting)
    monkeypatch.setattr("bothends.server.server.LAST_BYTES_S", 0.0)
    monkeypatch.setattr("bothends.server.http.server.LAST_BYTES_S", 0)
    return waits
