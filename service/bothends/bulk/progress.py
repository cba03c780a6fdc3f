"""Shows the progress of a run: a bar, the rate and the remaining time."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import click

from .rows import Window

_EVERY_S = 0.5


@contextmanager
def bar(total: int | None, *, done_rows: int, is_shown: bool) -> Iterator[Callable[[Window], None]]:
    """Show a bar on standard error, up to `total` in units of windows' positions; without a total, rows are counted.

    Yields a function to call with each finished window. `done_rows` were done earlier, and don't count in the rate.
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


@contextmanager
def files_bar(files: int, total_bytes: int, totals: Callable[[], tuple[int, int]]) -> Iterator[Callable[[], None]]:
    """Show a bar on standard error for the inputs' bytes, with files and rows; `totals` returns bytes and rows done.

    Yields a function to call for each finished file. A separate thread calls `totals` now and then.
    """
    stopped, done_files, began = threading.Event(), 0, time.monotonic()

    def one_more() -> None:
        nonlocal done_files
        done_files += 1

    with click.progressbar(length=total_bytes or 1, file=sys.stderr, item_show_func=lambda line: line) as shown:

        def show() -> None:
            done_bytes, rows = totals()
            rate = rows / max(time.monotonic() - began, 1e-9)
            line = f"{done_files:,} of {files:,} files  {rows:,} rows  {rate:,.0f} rows/s"
            shown.update(max(done_bytes - shown.pos, 0), line)

        def keep_showing() -> None:
            while not stopped.wait(_EVERY_S):
                show()

        thread = threading.Thread(target=keep_showing, daemon=True)
        thread.start()
        try:
            yield one_more
        finally:
            stopped.set()
            thread.join()
        show()
