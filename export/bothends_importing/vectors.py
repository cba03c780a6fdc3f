"""Reads the vectors of the requested words from a file of word vectors.

GloVe's .txt and fastText's .vec have a word and its numbers a line, separated by single spaces, most frequent words
first. fastText's file starts with a line of two integers, the number of words and of numbers each; both are checked. A
word is what comes before the first space, as InferSent reads it (models.py, get_w2v); if a word comes twice, its last
line counts, as there. So a line whose word contains a space names no word: its first part isn't taken for one.
"""

import gzip
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from bothends.text import printable

from .options import Advance
from .source import SourceError

_LINES_A_STEP = 2000


@dataclass(frozen=True, slots=True)
class Vectors:
    """Words and their vectors, in the file's order."""

    words: list[str]
    table: NDArray[np.float32]
    """[words, size]"""


@dataclass(slots=True)
class _Taken:
    """Words that have been read of `file`, and each one's vector of `size` numbers."""

    file: Path
    size: int
    rows: dict[str, NDArray[np.float32]]

    def take_line(self, number: int, line: bytes) -> None:
        """Read the vector in line `number`. Raises SourceError if it isn't `size` finite numbers."""
        word, _, rest = line.partition(b" ")
        vector = _numbers(rest)
        if vector is None and _ends_in_vector(rest, self.size):
            return  # a word with a space in it
        if vector is None or vector.size != self.size:
            raise SourceError(f"{self.file}, line {number}: {self._fault(rest, vector)}")
        if not np.isfinite(vector).all():
            raise SourceError(f"{self.file}, line {number}: the vector holds NaN or infinite numbers")
        self.rows[_text(word, self.file, number)] = vector

    def _fault(self, rest: bytes, vector: NDArray[np.float32] | None) -> str:
        if vector is not None:
            return f"{vector.size} numbers stand after the word, and {self.size} were expected"
        wrong = next(part for part in rest.split() if _numbers(part) is None)
        return f"{printable(wrong.decode(errors='replace'))!r} is no number; a line is a word and {self.size} numbers"


def read_words(file: Path, wanted: Collection[str], *, size: int, advance: Advance = lambda _: None) -> Vectors:
    """Return the vectors of size `size` that `file` (.txt or .vec, or one of them in .gz or .zip) has for the `wanted`
    words.

    Reads the file to its end, since later lines take precedence. Raises SourceError naming the file and the line.
    """
    sought = {word.encode() for word in wanted}
    taken = _Taken(file, size, {})
    with _lines(file, size, advance) as lines:
        for number, line in lines:
            word = line.partition(b" ")[0]
            if word in sought:
                taken.take_line(number, line)
    return _vectors(taken)


def read_max_frequent(
    file: Path, count: int, *, marks: Collection[str], size: int, advance: Advance = lambda _: None
) -> Vectors:
    """Return the first `count` vectors of `file`, and those of `marks` wherever they are; reads no further than needed.

    Raises SourceError naming the file and the line.
    """
    missing = {mark.encode() for mark in marks}
    taken = _Taken(file, size, {})
    with _lines(file, size, lambda _: None) as lines:
        for index, (number, line) in enumerate(lines):
            word = line.partition(b" ")[0]
            if index < count or word in missing:
                taken.take_line(number, line)
                missing.discard(word)
            if index >= count - 1 and not missing:
                break
            if index % _LINES_A_STEP == 0:
                advance(min(1, index / count))
    advance(1)
    return _vectors(taken)


def _vectors(taken: _Taken) -> Vectors:
    if not taken.rows:
        raise SourceError(f"{taken.file} has a vector for none of the words that are wanted")
    words = list(taken.rows)
    table = np.empty((len(words), taken.size), np.float32)
    for index, word in enumerate(words):
        table[index] = taken.rows.pop(word)  # each row is let go as it is copied: never the table twice
    return Vectors(words, table)


@contextmanager
def _lines(file: Path, size: int, advance: Advance) -> Iterator[Iterator[tuple[int, bytes]]]:
    """The lines that hold vectors, each with its number, and how much of the file is read.

    Raises SourceError where the first line says another size, or another count of lines than follows.
    """
    try:
        whole = file.stat().st_size or 1
        with file.open("rb") as raw, _unpacked(file, raw) as stream:
            yield _counted(file, stream, size, lambda: advance(min(1, raw.tell() / whole)))
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise SourceError(f"{file} can't be read: {reason}") from error


def _counted(file: Path, stream: IO[bytes], size: int, report: Callable[[], None]) -> Iterator[tuple[int, bytes]]:
    said: int | None = None
    found = 0
    for number, line in enumerate(stream, start=1):
        if number % _LINES_A_STEP == 0:
            report()
        text = line.rstrip(b" \r\n")
        if number == 1:
            _text(text, file, 1)
            said = _said_by_header(text, file, size)
            if said is not None:
                continue
        if text:
            found += 1
            yield number, text
    report()
    if said not in (None, found):
        raise SourceError(
            f"{file} holds {found} vectors, and its first line says {said}: it is cut off, or lines of it are missing"
        )


def _said_by_header(line: bytes, file: Path, size: int) -> int | None:
    """Return the number of vectors in a first line of two integers; None if it is no such line."""
    parts = line.split()
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        return None
    if int(parts[1]) != size:
        raise SourceError(
            f"{file}, line 1: its vectors have {int(parts[1])} numbers, and the encoder reads {size}; these aren't the "
            "vectors that it was trained with"
        )
    return int(parts[0])


@contextmanager
def _unpacked(file: Path, raw: IO[bytes]) -> Iterator[IO[bytes]]:
    if file.suffix == ".gz":
        with gzip.GzipFile(fileobj=raw) as unpacked:
            yield cast(IO[bytes], unpacked)  # which typeshed doesn't say
    elif file.suffix == ".zip":
        with zipfile.ZipFile(raw) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            if len(names) != 1:
                raise SourceError(f"{file} holds {len(names)} files, not one; unpack it and name the one to read")
            try:
                member = archive.open(names[0])
            except (RuntimeError, NotImplementedError) as error:  # encrypted, or packed in a way of its own
                raise SourceError(f"{file} can't be read: {error}") from error
            with member:
                yield member
    else:
        yield raw


def _numbers(text: bytes) -> NDArray[np.float32] | None:
    """Return the numbers in `text`, separated by spaces, or None if it has anything else."""
    try:
        with np.errstate(over="ignore"):  # too large for float32 is infinite, which is refused by that name
            return np.array(text.split(), dtype=np.float32)
    except ValueError:
        return None


def _ends_in_vector(rest: bytes, size: int) -> bool:
    parts = rest.split(b" ")
    if len(parts) <= size:
        return False
    vector = _numbers(b" ".join(parts[-size:]))
    return vector is not None and vector.size == size


def _text(word: bytes, file: Path, number: int) -> str:
    try:
        return word.decode()
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{file}, line {number}: no UTF-8 text ({error.reason} at byte {error.start}); convert the file to UTF-8"
        ) from error
