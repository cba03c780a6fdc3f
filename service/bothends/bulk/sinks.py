"""Writes blocks to standard output, or to files in such a way that a killed run can be resumed.

During a run, the content of OUTPUT is in OUTPUT.partial, and OUTPUT.journal says how much of it is safely on disk. When
the run is resumed, everything after that is cut off, so that no row is there twice and none is lost.
"""

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ..errors import FileError, SettingsError
from .formats.block import Block, Writer
from .formats.writers import bad_line
from .journal import Commit, Journal, lock, opened, sync
from .rows import BLANK

_BUFFER = 1 << 20


class Sink(Protocol):
    """Destination of blocks, which arrive in order."""

    committed: Commit
    """State of what is there already."""
    is_interactive: bool
    """True if a person waits for each answer."""

    def write(self, block: Block, digest: str) -> None:
        """Write `block`. `digest` covers all rows up to its end."""
        ...

    def kept_rows(self) -> int:
        """Return the number of rows that are safely written, even if writing was interrupted at any point."""
        ...

    def finish(self) -> None:
        """Finish the output, after the last block."""
        ...

    def discard(self) -> None:
        """Remove everything that another run could resume."""
        ...

    def close(self) -> None:
        """Close all open files, finished or not."""
        ...


class StdoutSink:
    """Writer to standard output. Bad rows go to standard error, and the number of blank rows at the end."""

    is_interactive = True

    def __init__(self, writer: Writer, output: BinaryIO, errors: BinaryIO) -> None:
        self.committed = Commit()
        self._writer, self._output, self._errors = writer, output, errors
        self._blank = 0

    def write(self, block: Block, digest: str) -> None:
        """Write `block`, and flush it. Raises BrokenPipeError if the reader has closed the pipe."""
        told = {index: reason for index, reason in block.problems.items() if reason != BLANK}
        self._blank += len(block.problems) - len(told)
        _write(replace(block, problems=told), self._writer, self._output, self._errors)
        self._errors.flush()
        self._output.flush()
        self.committed = _after(self.committed, block, digest)

    def kept_rows(self) -> int:
        """Return the number of rows that were flushed."""
        return self.committed.rows

    def finish(self) -> None:
        """Report the number of blank rows; each block was flushed when it was written."""
        if self._blank:
            rows = "a blank row has" if self._blank == 1 else f"{self._blank:,} blank rows have"
            self._errors.write(f"{rows} no vector\n".encode())
            self._errors.flush()

    def discard(self) -> None:
        """Do nothing: a stream can't be resumed."""

    def close(self) -> None:
        """Do nothing: both streams belong to the process."""


class FileSink:
    """Output file, with the file about bad rows and the journal beside it."""

    is_interactive = False

    def __init__(self, output: Path, writer: Writer, job: Mapping[str, Any], *, overwrite: bool) -> None:
        """Continue what the same `job` has left, or start.

        Raises SettingsError if there is a finished output, or another job's unfinished one, that may not be
        overwritten; FileError if files aren't what the journal says; OSError if they can't be written.
        """
        self.output, self.bad = output, _beside(output, ".bad.jsonl")
        self._partial, self._bad_partial = _beside(output, ".partial"), _beside(self.bad, ".partial")
        self._sealed = _beside(self._partial, writer.sealed_suffix)
        self._journal = Journal(_beside(output, ".journal"))
        self._job, self._writer = job, writer
        self._open: list[BinaryIO] = []
        unfinished = self._unfinished(overwrite=overwrite)
        self.committed = unfinished or Commit()
        if self.committed.is_whole:
            return
        try:
            self._file, self._bad_file = self._opened(self._partial), self._opened(self._bad_partial)
            lock(self._file, self._partial)
            try:
                self._go_on(self.committed, is_new=unfinished is None)
            except FileError:
                if not overwrite or unfinished is None:
                    raise
                self._go_on(Commit(), is_new=True)
        except BaseException:
            self.close()
            raise

    def _go_on(self, done: Commit, *, is_new: bool) -> None:
        """Cut the files to what is committed. Raises FileError if they aren't what the journal says."""
        if is_new:
            self._journal.remove()
        head = self._writer.head()
        self._hash = _cut(self._file, self._partial, done.output_bytes, done.output_sha256, head=len(head))
        self._bad_hash = _cut(self._bad_file, self._bad_partial, done.bad_bytes, done.bad_sha256)
        if is_new:
            self._file.write(head)
            self._commit(done)

    def write(self, block: Block, digest: str) -> None:
        """Write `block`, and wait until it is on the disk."""
        _write(block, self._writer, self._output(), _Hashed(self._bad_file, self._bad_hash))
        self._commit(_after(self.committed, block, digest))

    def kept_rows(self) -> int:
        """Return the number of rows in the journal, which is right even after an interrupt during its replacement."""
        found = self._journal.read()
        return (self.committed if found is None else found[1]).rows

    def finish(self) -> None:
        """Give the files their final names. A step that was done before a kill is skipped."""
        if not self.committed.is_whole:
            self._writer.seal(self._partial, self._sealed, self.committed.rows)
            sync(self._sealed)
            self._record(replace(self.committed, is_whole=True))
        if not self.committed.bad_rows:
            for path in (self.bad, self._bad_partial):
                path.unlink(missing_ok=True)
        elif self._bad_partial.exists():
            self._bad_partial.replace(self.bad)
        if self._sealed.exists():
            self._sealed.replace(self.output)
        self._partial.unlink(missing_ok=True)
        sync(self.output.parent)
        self._journal.remove()

    def discard(self) -> None:
        """Remove the journal, so that the next run of the job starts anew."""
        self._journal.remove()

    def close(self) -> None:
        """Close the files. If the disk is full, what wasn't committed is lost anyway."""
        for file in self._open:
            with suppress(OSError):
                file.close()

    def _unfinished(self, *, overwrite: bool) -> Commit | None:
        """Return what is there of this job; None if it starts anew."""
        found = self._journal.read()
        if found is None:
            if self.output.exists() and not overwrite:
                raise SettingsError(f"{self.output} is there already; --overwrite replaces it")
            return None
        job, commit = found
        if job == self._job:
            return commit
        if overwrite:
            return None
        name = next(name for name in {**self._job, **job} if job.get(name) != self._job.get(name))
        raise SettingsError(
            f"{self.output} was begun otherwise: {name} was {job.get(name)!r} and is {self._job.get(name)!r} now; "
            "run it as then to go on, or with --overwrite to begin anew"
        )

    def _opened(self, path: Path) -> BinaryIO:
        file = opened(path, "r+b", buffering=_BUFFER)
        self._open.append(file)
        return file

    def _output(self) -> "_Hashed":
        return _Hashed(self._file, self._hash)

    def _commit(self, done: Commit) -> None:
        for file in (self._file, self._bad_file):
            file.flush()
            os.fsync(file.fileno())
        done = replace(done, output_bytes=self._file.tell(), output_sha256=self._hash.hexdigest())
        self._record(replace(done, bad_bytes=self._bad_file.tell(), bad_sha256=self._bad_hash.hexdigest()))

    def _record(self, state: Commit) -> None:
        self._journal.write(self._job, state)
        self.committed = state


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


class _Writable(Protocol):
    """A file, as far as blocks are concerned."""

    def write(self, content: Any, /) -> object: ...


def _write(block: Block, writer: Writer, output: _Writable, bad: _Writable) -> None:
    for index in sorted(block.problems):
        bad.write(bad_line(block.first + index, block.problems[index]))
    for piece in writer.body(block):
        output.write(piece)


def _after(done: Commit, block: Block, digest: str) -> Commit:
    """Return `done` with `block` added, except for the bytes."""
    return replace(
        done,
        rows=block.first + len(block.rows),
        digest=digest,
        bad_rows=done.bad_rows + len(block.problems),
        cut=done.cut + (sum(block.found.truncated) if block.found else 0),
    )


@dataclass(frozen=True, slots=True)
class _Hashed:
    """A file whose bytes are hashed as they are written."""

    file: BinaryIO
    hash: "hashlib._Hash"

    def write(self, content: Any) -> None:
        """Write bytes."""
        self.hash.update(content)
        self.file.write(content)


def _cut(file: BinaryIO, path: Path, size: int, sha256: str, *, head: int = 0) -> "hashlib._Hash":
    """Cut `file` to `size` bytes, to continue there. Raises FileError unless they are the bytes that were written.

    Returns the hash object of those bytes, to be continued too; the head is left out, since sealing rewrites it.
    """
    if (found := file.seek(0, os.SEEK_END)) < size:
        raise FileError(f"{path} has {found} bytes where its journal says {size}; --overwrite begins anew")
    file.seek(head)
    hashed, left = hashlib.sha256(), size - head
    while left > 0 and (piece := file.read(min(left, _BUFFER))):
        hashed.update(piece)
        left -= len(piece)
    if size and hashed.hexdigest() != sha256:
        raise FileError(f"{path} isn't what was written to it, says its journal; --overwrite begins anew")
    file.truncate(size)
    file.seek(size)
    return hashed
