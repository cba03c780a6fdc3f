"""Waits for other threads and processes, with a generous bound."""

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

_Thing = TypeVar("_Thing")
TIMEOUT_S = 60
"""Bound of each wait, generous enough for a machine ten times slower: reached only where something is wrong."""


def until(condition: Callable[[], object], *, within_s: float = TIMEOUT_S) -> None:
    """Return once `condition()` is true. Raises AssertionError after `within_s` seconds."""
    assert eventually(condition, within_s=within_s), f"not so within {within_s} s"


def eventually(condition: Callable[[], object], *, within_s: float, every_s: float = 0.002) -> bool:
    """Return True once `condition()` is true, False after `within_s` seconds; it is asked every `every_s` seconds."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(every_s)
    return True


def gathered(things: list[_Thing], more: Iterable[_Thing]) -> list[_Thing]:
    """Add to a list in the midst of a condition."""
    things.extend(more)
    return things
