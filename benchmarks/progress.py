"""The step that runs now and the time that is left, on a terminal; finished rows, anywhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from results import Row


class Show:
    """A progress bar over planned seconds. Use it in `with`."""

    def __init__(self, console: Console, *, total_s: float) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        # Drawn twice a second: it shares the cores with what is measured.
        self._progress = Progress(
            *columns, console=console, transient=True, refresh_per_second=2, disable=not console.is_terminal
        )
        self._console = console
        self._task = self._progress.add_task("", total=total_s)
        self._done_s = 0.0

    @contextmanager
    def doing(self, text: str, planned_s: float) -> Iterator[None]:
        """Show `text`; at the end `planned_s` are done, however long it took."""
        self._progress.update(self._task, description=text)
        yield
        self._done_s += planned_s
        self._progress.update(self._task, completed=self._done_s)

    def row(self, row: Row) -> None:
        """Print one line of a row just measured."""
        p50, p99 = (f"{value:8.2f}" if value is not None else f"{'–':>8}" for value in (row.p50_ms, row.p99_ms))
        line = f"{row.load:<18} {row.server:<23}{row.sentences_per_s:8,.0f}/s  p50 {p50} ms  p99 {p99} ms"
        self._console.print(line, style="dim", highlight=False)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
