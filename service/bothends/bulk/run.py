"""Embeds a job's windows, several in parallel, and writes them in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from ..errors import SettingsError
from .engines import BulkEngine
from .formats.block import Block
from .formats.readers import RowReader
from .journal import Commit
from .rows import Window, windows
from .sinks import Sink

_IN_FLIGHT = 4
"""Windows that are computed at once; one more is written meanwhile. They have fair turns and so end close together:
with two, the model had nothing to do for a tenth of the time, while the next ones were tokenised."""


class InputChangedError(SettingsError):
    """Error because the rows in an output were read from a different input than the present one."""

    def __init__(self, rows: int) -> None:
        super().__init__(f"the input has changed since its first {rows} rows were embedded; --overwrite begins anew")


def run(reader: RowReader, engine: BulkEngine, sink: Sink, advance: Callable[[Window], None]) -> Commit:
    """Embed the rows of `reader` that `sink` doesn't have yet. `advance` is called with each finished window.

    Raises InputChangedError if the sink's rows were read from another input. If anything is raised, the rows written so
    far stay in the sink.
    """
    every = windows(reader.rows, reader.position, eager=sink.is_interactive)
    left = _left(every, sink.committed, advance)
    if sink.committed.is_whole:  # a run was killed while it gave files their names
        if any(window is not None for window in left):
            raise InputChangedError(sink.committed.rows)
    else:
        with ThreadPoolExecutor(_IN_FLIGHT, "bothends-bulk") as pool:
            try:
                _embed(left, engine, sink, advance, pool)
            except BaseException:
                engine.stop()
                raise
    sink.finish()
    return sink.committed


def _embed(
    left: Iterable[Window | None],
    engine: BulkEngine,
    sink: Sink,
    advance: Callable[[Window], None],
    pool: ThreadPoolExecutor,
) -> None:
    waiting: deque[tuple[Window, Future[Block]]] = deque()

    def settle() -> None:
        window, block = waiting.popleft()
        sink.write(block.result(), window.digest)
        advance(window)

    for window in left:
        if window is None:  # nothing more has come: a person who waits for answers gets them all
            while waiting:
                settle()
            continue
        waiting.append((window, pool.submit(_block, engine, window)))
        if len(waiting) > _IN_FLIGHT:
            settle()
    while waiting:
        settle()


def _left(every: Iterator[Window | None], done: Commit, advance: Callable[[Window], None]) -> Iterator[Window | None]:
    """Yield the windows after those that are done. Raises InputChangedError where those aren't the same as then."""
    end, digest = 0, ""
    while end < done.rows and (window := next(every, None)) is not None:
        end, digest = window.end, window.digest
        advance(window)
    if (end, digest) != (done.rows, done.digest):
        raise InputChangedError(done.rows)
    yield from every


def _block(engine: BulkEngine, window: Window) -> Block:
    """Embed the good rows of `window`."""
    readable = [place for place, row in enumerate(window.rows) if row.problem is None]
    problems = {place: row.problem for place, row in enumerate(window.rows) if row.problem is not None}
    found = None
    if readable:
        found, wrong = engine.embed([window.rows[place].text for place in readable])
        problems |= {readable[index]: reason for index, reason in wrong.items()}
        found = found if len(wrong) < len(readable) else None
    good = [place for place in readable if place not in problems]
    return Block(window.first, window.rows, good, found, problems)
