"""Renders an expensive page at most a few times a second, and gives all requests in between the latest result."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

EVERY_S = 0.2
"""Seconds between two, where many ask."""
_BURST_S = 2.0
"""Seconds for which unused renderings are saved up, so that rare requests get the current state."""
T = TypeVar("T")


class Recent(Generic[T]):
    """Cached result of `make`, which is called in another thread, one call at a time. For one event loop."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = asyncio.Lock()
        self._paid_until = 0.0
        self._newest: list[T] = []

    async def get(self) -> T:
        """Return the result of `make`, which is at most a moment old."""
        async with self._lock:
            now = monotonic()
            if not self._newest or self._paid_until - now <= _BURST_S:
                self._newest = [await run_in_threadpool(self._make)]
                self._paid_until = max(self._paid_until, now) + EVERY_S
            return self._newest[0]
