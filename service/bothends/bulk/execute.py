"""Runs a job from start to end, and prints its outcome for people."""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import click

from ..errors import FileError, SettingsError
from .engines import BulkEngine
from .formats.readers import RowReader
from .job import Job
from .journal import Commit
from .progress import bar
from .run import InputChangedError, run
from .sinks import Sink

SWITCH_INTERVAL_S = 0.0005
"""Seconds after which a thread that wants the interpreter gets it. The model's threads want it for a moment only,
between batches; by default they would wait ten times as long for the threads that read and write rows."""
_INTERRUPTED, _BROKEN_PIPE = 130, 141  # a shell's codes for SIGINT and SIGPIPE


def execute(job: Job, load: Callable[[], BulkEngine]) -> int:
    """Run `job` with the engine that `load` returns; returns the exit code. Raises BothendsError for what is wrong."""
    job.check()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with ExitStack() as files:
        reader = job.read(files)
        if reader.column and not job.column:
            _say(f"column: {reader.column}")
        if reader.note:
            _say(f"Warning: {reader.note}")
        engine = load()
        files.callback(engine.stop)
        try:
            sink = job.sink(reader, engine, files)
            try:
                return _run(job, reader, engine, sink)
            except InputChangedError:
                if not job.overwrite:
                    raise
                sink.discard()
        except BrokenPipeError:  # as where `head` has enough
            return _BROKEN_PIPE
        except OSError as error:
            raise write_error(job, error) from error
    if job.input is None:
        raise SettingsError("the input isn't the one that was begun, which is dropped now; give the same command again")
    return execute(job, load)


def _run(job: Job, reader: RowReader, engine: BulkEngine, sink: Sink) -> int:
    before, began = sink.committed.rows, time.monotonic()
    if before:
        _say(f"going on after {before:,} rows")
    is_shown = sys.stderr.isatty() and not (job.output is None and sys.stdout.isatty())
    try:
        with bar(reader.total, done_rows=before, is_shown=is_shown) as advance:
            done = run(reader, engine, sink, advance)
    except KeyboardInterrupt:
        kept = "" if job.output is None else "; the same command goes on from there"
        _say(f"stopped after {sink.kept_rows():,} rows{kept}")
        return _INTERRUPTED
    if done.rows == done.bad_rows:
        raise nothing_to_embed(job.input, job.output, done.rows)
    if job.output is not None:
        _say(_summary(job, engine.model, done, done.rows - before, time.monotonic() - began))
    return 0


def nothing_to_embed(source: Path | None, output: Path | None, rows: int) -> FileError:
    """Return the error for an input none of whose `rows` has a vector; `output` is beside the list of their reasons."""
    name = "standard input" if source is None else str(source)
    if not rows:
        return FileError(f"{name} has no rows; nothing was embedded")
    why = f" {output}.bad.jsonl says why of each." if output is not None else ""
    return FileError(f"no row of {name} holds text that can be embedded; is this a text file?{why}")


def write_error(job: Job, error: OSError) -> FileError:
    """Return the error for an output whose disk is full or gone. Of standard output, the command line tells that."""
    if job.output is None:
        return FileError(f"standard input or standard error fails: {error.strerror}")
    kept = "what was there stays, and the same command goes on from it"
    return FileError(f"{job.output} can't be written: {error.strerror}; {kept}")


def _summary(job: Job, model: str, done: Commit, rows: int, seconds: float) -> str:
    rate = f", {rows / seconds:,.0f} rows/s" if rows and seconds else ""
    cut = f"; {done.cut:,} were longer than the model reads and were cut" if done.cut else ""
    bad = f"; {done.bad_rows:,} have no vector, {job.output}.bad.jsonl says why" if done.bad_rows else ""
    return f"{job.output}: {done.rows:,} rows by {model} in {seconds:,.1f} s{rate}{cut}{bad}"


def _say(line: str) -> None:
    click.echo(line, err=True)
