"""A costly page, of which a crowd gets what was true lately."""

import asyncio
import threading

import pytest

from bothends.server.http import recent
from bothends.server.http.recent import Recent


def test_a_crowd_costs_as_little_as_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some askers in a row get each their own; hundreds share; once time has passed, it is new again."""
    now = [100.0]
    monkeypatch.setattr(recent, "monotonic", lambda: now[0])
    made, at_once, most = 0, 0, 0
    lock = threading.Lock()

    def make() -> int:
        nonlocal made, at_once, most
        with lock:
            made, at_once = made + 1, at_once + 1
            most = max(most, at_once)
        with lock:
            at_once -= 1
        return made

    async def ask() -> None:
        page = Recent(make)
        assert [await page.get() for _ in range(5)] == [1, 2, 3, 4, 5]
        await asyncio.gather(*(page.get() for _ in range(300)))
        assert 10 <= made <= 12
        before = made
        now[0] += recent.EVERY_S
        assert await page.get() == before + 1
        assert await page.get() == before + 1
        now[0] += 100
        assert [await page.get() for _ in range(5)] == list(range(before + 2, before + 7))

    asyncio.run(ask())
    assert most == 1
