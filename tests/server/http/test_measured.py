"""What a request's coroutine uses of the event loop's thread."""

import asyncio
import time

import pytest

from bothends.server.http.measured import Measured
from bothends.server.thread_times import ThreadTimes

WORKS_S = 0.01


def works() -> None:
    """Use the thread for a while."""
    ends = time.thread_time() + WORKS_S
    while time.thread_time() < ends:
        pass


def test_each_step_is_measured_and_no_wait() -> None:
    used: list[float] = []

    async def ask() -> str:
        works()
        await asyncio.sleep(10 * WORKS_S)
        works()
        return "done"

    async def run() -> str:
        return await asyncio.get_running_loop().create_task(Measured(ask(), ThreadTimes(), used.append))

    assert asyncio.run(run()) == "done"
    assert len(used) == 2
    assert all(seconds >= WORKS_S for seconds in used)
    assert sum(used) < 10 * WORKS_S


def test_what_is_taken_amid_a_step_is_not_counted_again() -> None:
    used, times, taken = list[float](), ThreadTimes(), list[float]()

    async def ask() -> None:
        works()
        taken.append(times.take())

    asyncio.run(Measured(ask(), times, used.append))
    assert taken[0] >= WORKS_S > used[0]


def test_a_cancelled_one_is_told() -> None:
    """It ends by the exception that it was given, and that step is measured too."""
    used: list[float] = []

    async def ask() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            works()

    async def run() -> None:
        task = asyncio.get_running_loop().create_task(Measured(ask(), ThreadTimes(), used.append))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert used[-1] >= WORKS_S


def test_a_thread_that_is_not_measured_has_used_nothing() -> None:
    times = ThreadTimes()
    assert times.take() == 0
    assert times.begin()
    assert not times.begin()
    times.end()
    assert times.take() == 0
