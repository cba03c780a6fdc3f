"""Renders a costly page a few times a second at most, and gives everybody who asks meanwhile the latest one."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

EVERY_S = 0.2
"""Seconds between two, where many ask."""
_BURST_S = 2.0
"""Seconds for which what was not asked for is saved: whoever asks now and then gets what is true at that moment."""
T = TypeVar("T")


class Recent(Generic[T]):
    """Result of `make`, which is called in another thread, once at a time. For one event loop."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = asyncio.Lock()
        self._paid_until = 0.0
        self._newest: list[T] = []

    async def get(self) -> T:
        """Return the result, as it was a moment ago at most."""
        async with self._lock:
            now = monotonic()
            if not self._newest or self._paid_until - now <= _BURST_S:
                self._newest = [await run_in_threadpool(self._make)]
                self._paid_until = max(self._paid_until, now) + EVERY_S
            return self._newest[0]
