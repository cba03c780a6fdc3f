"""Coroutines over a transport that blocks run to their end without an event loop."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from bothends.client.transport import iterate_blocking, run_blocking


async def three(closed: list[bool]) -> AsyncGenerator[int, None]:
    try:
        for number in range(3):
            yield number
    finally:
        closed.append(True)


def test_a_coroutine_gives_its_result_or_its_error() -> None:
    async def divide(number: int) -> float:
        return 1 / number

    assert run_blocking(divide(2)) == 0.5
    with pytest.raises(ZeroDivisionError):
        run_blocking(divide(0))


def test_a_transport_that_suspends_is_a_bug() -> None:
    """A suspended coroutine would wait for ever: there is no loop to wake it."""

    async def suspends() -> None:
        await asyncio.sleep(0)

    coroutine = suspends()
    with pytest.raises(AssertionError, match="suspended"):
        run_blocking(coroutine)
    coroutine.close()


def test_a_generator_is_closed_where_it_is_left() -> None:
    """The stream of one is cancelled at once, not when the garbage collector comes by."""
    closed: list[bool] = []
    numbers = iterate_blocking(three(closed))
    assert next(numbers) == 0
    assert closed == []
    numbers.close()  # type: ignore[attr-defined]
    assert closed == [True]
    assert list(iterate_blocking(three(closed))) == [0, 1, 2]
