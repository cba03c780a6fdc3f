"""Blocks to where they are kept: files that a killed run goes on with, or standard output. Knows no format.

While it is written, OUTPUT stands in OUTPUT.partial, and OUTPUT.journal says how much of it is on the disk for certain.
When a run goes on, what came after that is cut off: so no row is there twice, and none is lost.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self

from ..errors import FileError, SettingsError
from .formats.block import Block, Writer
from .formats.writers import bad_line
from .journal import Committed, Journal, lock, sync

_BUFFER = 1 << 20


class Sink(Protocol):
    """Takes blocks in order."""

    done: Committed
    """What is there already."""
    is_watched: bool
    """Whether somebody waits for each answer."""

    def take(self, block: Block, digest: str) -> None:
        """Keep it; `digest` is of all rows up to its end."""
        ...

    def finish(self) -> None:
        """All blocks were taken."""
        ...

    def close(self) -> None:
        """Let go of what is open, finished or not."""
        ...


class Pipe:
    """Standard output; about bad rows, standard error."""

    is_watched = True

    def __init__(self, writer: Writer, output: BinaryIO, errors: BinaryIO) -> None:
        self.done = Committed()
        self._writer, self._output, self._errors = writer, output, errors

    def take(self, block: Block, digest: str) -> None:
        """Write it, and hold nothing back. Raises BrokenPipeError where nobody reads any more."""
        _write(block, self._writer, self._output, self._errors)
        self._errors.flush()
        self._output.flush()
        self.done = _after(self.done, block, digest)

    def finish(self) -> None:
        """Nothing is left to do."""

    def close(self) -> None:
        """They are the process's, not this one's."""


class Files:
    """An output file, the one about bad rows beside it, and the journal."""

    is_watched = False

    def __init__(self, output: Path, writer: Writer, job: Mapping[str, Any], *, overwrite: bool) -> None:
        """Go on with what the same `job` has left, or begin.

        Raises SettingsError where a finished output is there, or another job's unfinished one, and they mayn't be
        overwritten; FileError where files aren't what the journal says; OSError where they can't be written.
        """
        self.output, self.bad = output, _beside(output, ".bad.jsonl")
        self._partial, self._bad_partial = _beside(output, ".partial"), _beside(self.bad, ".partial")
        self._sealed = _beside(self._partial, writer.sealed_suffix)
        self._journal = Journal(_beside(output, ".journal"))
        self._job, self._writer = job, writer
        self._open: list[BinaryIO] = []
        left = self._left(overwrite=overwrite)
        self.done = left or Committed()
        if self.done.is_whole:
            return
        try:
            self._file, self._bad_file = self._opened(self._partial), self._opened(self._bad_partial)
            lock(self._file, self._partial)
            if left is None:
                self._journal.remove()
            _cut(self._file, self._partial, self.done.output_bytes)
            _cut(self._bad_file, self._bad_partial, self.done.bad_bytes)
            if left is None:
                self._file.write(writer.head())
                self._commit(self.done)
        except BaseException:
            self.close()
            raise

    def take(self, block: Block, digest: str) -> None:
        """Write it and see it on the disk."""
        _write(block, self._writer, self._file, self._bad_file)
        self._commit(_after(self.done, block, digest))

    def finish(self) -> None:
        """Give the files their names. A step that was done before a kill is skipped."""
        if not self.done.is_whole:
            self._writer.seal(self._partial, self._sealed, self.done.rows)
            sync(self._sealed)
            self.done = replace(self.done, is_whole=True)
            self._journal.write(self._job, self.done)
        if not self.done.bad_rows:
            for path in (self.bad, self._bad_partial):
                path.unlink(missing_ok=True)
        elif self._bad_partial.exists():
            self._bad_partial.replace(self.bad)
        if self._sealed.exists():
            self._sealed.replace(self.output)
        self._partial.unlink(missing_ok=True)
        sync(self.output.parent)
        self._journal.remove()

    def close(self) -> None:
        """Close the files; where the disk is full, what wasn't committed is lost anyway."""
        for file in self._open:
            with suppress(OSError):
                file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _left(self, *, overwrite: bool) -> Committed | None:
        """What is there of this job; None to begin."""
        found = self._journal.read()
        if found is None:
            if self.output.exists() and not overwrite:
                raise SettingsError(f"{self.output} is there already; --overwrite replaces it")
            return None
        job, committed = found
        if job == self._job:
            return committed
        if overwrite:
            return None
        name = next(name for name in {**self._job, **job} if job.get(name) != self._job.get(name))
        raise SettingsError(
            f"{self.output} was begun otherwise: {name} was {job.get(name)!r} and is {self._job.get(name)!r} now; "
            "run it as then to go on, or with --overwrite to begin anew"
        )

    def _opened(self, path: Path) -> BinaryIO:
        path.touch()
        file = path.open("r+b", buffering=_BUFFER)
        self._open.append(file)
        return file

    def _commit(self, done: Committed) -> None:
        for file in (self._file, self._bad_file):
            file.flush()
            os.fsync(file.fileno())
        self.done = replace(done, output_bytes=self._file.tell(), bad_bytes=self._bad_file.tell())
        self._journal.write(self._job, self.done)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _cut(file: BinaryIO, path: Path, size: int) -> None:
    """Let `file` end after `size` bytes, and go on there."""
    if (found := file.seek(0, os.SEEK_END)) < size:
        raise FileError(f"{path} has {found} bytes where its journal says {size}; --overwrite begins anew")
    file.truncate(size)
    file.seek(size)


def _write(block: Block, writer: Writer, output: BinaryIO, bad: BinaryIO) -> None:
    for place in sorted(block.problems):
        bad.write(bad_line(block.first + place, block.problems[place]))
    for piece in writer.body(block):
        output.write(piece)


def _after(done: Committed, block: Block, digest: str) -> Committed:
    """What is there with `block`, but for the bytes."""
    return replace(
        done,
        rows=block.first + len(block.rows),
        digest=digest,
        bad_rows=done.bad_rows + len(block.problems),
        cut=done.cut + (sum(block.found.truncated) if block.found else 0),
    )
