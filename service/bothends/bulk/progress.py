"""How far a run is, for a person: a bar with its rate and the time left. Knows nothing of the work."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import click

from .rows import Window


@contextmanager
def bar(total: int | None, *, done_rows: int, is_shown: bool) -> Iterator[Callable[[Window], None]]:
    """A bar on standard error, of `total` in the units of windows' positions; without one, rows are counted.

    What it gives is told of each window that is done. `done_rows` were done before, and aren't counted in the rate.
    """
    if not is_shown:
        yield lambda _: None
        return
    position, began = 0, time.monotonic()

    def rate(window: Window | None) -> str:
        if window is None or window.end <= done_rows:
            return ""
        seconds = max(time.monotonic() - began, 1e-9)
        return f"{window.end:,} rows  {(window.end - done_rows) / seconds:,.0f} rows/s"

    unknown = cast("Iterator[Window]", iter(int, 1))  # without a length, click shows that something goes on
    with click.progressbar(
        None if total else unknown, length=total or None, file=sys.stderr, show_percent=bool(total), item_show_func=rate
    ) as shown:

        def advance(window: Window) -> None:
            nonlocal position, began
            if window.end <= done_rows:
                began = time.monotonic()  # reading what was done before takes no time worth counting
            shown.update(window.position - position if total else len(window.rows), window)
            position = window.position

        yield advance
