"""Reads rows of sentences from lines of text, CSV and JSON."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NoReturn, Protocol

from ...errors import FileError, SettingsError
from ..rows import Row, row
from .columns import choose, listed, must_have
from .source import MAX_LINE_BYTES, Source

_TOO_LONG = Row("", f"is a line of more than {MAX_LINE_BYTES >> 20} MiB")
_NO_UTF8 = Row("", "is no valid UTF-8")


@dataclass(frozen=True, slots=True)
class RowReader:
    """Open input: its rows, and how far they have been read."""

    rows: Iterator[Row | None]
    """Rows in order, once. None means that nothing more has arrived yet."""
    position: Callable[[], int]
    total: int | None
    """Position at the end, if known."""
    column: str | None = None
    """Name of the column with the sentences; None if there are no columns."""
    kept_types: Any = None
    """Pyarrow schema of the columns that are kept; None if they are JSON values of any type."""
    note: str | None = None
    """Warning for a person, if there is one."""


class _Csv(Protocol):
    """A reader of the csv module's, whose own type has no name."""

    line_num: int

    def __next__(self) -> list[str]: ...
    def __iter__(self) -> Iterator[list[str]]: ...


def text(source: Source) -> RowReader:
    """Read text with one sentence a line."""
    return RowReader(map(_line, source.lines()), source.position, source.total)


def table(source: Source, column: str | None, keep: Sequence[str], *, delimiter: str) -> RowReader:
    """Read CSV with a header: sentences from the column named `column` (None: the one that is likely), and beside them
    the columns named in `keep`.

    A record with more or fewer cells than the header is a bad row; a blank line is no row. The rows end with FileError
    at an unclosed quote, since what follows could be one cell or many.
    """
    records = csv.reader(_decoded(source), delimiter=delimiter, strict=True)
    try:
        header = next(records, [])
    except csv.Error as error:
        raise SettingsError(f"{source.name} has no header that can be read: {error}") from None
    column = choose(column, header, header, source.name)
    for name in keep:
        must_have(name, header, source.name)
    places = [header.index(name) for name in (column, *keep)]
    return RowReader(_records(records, len(header), places, source.name), source.position, source.total, column)


def objects(source: Source, column: str | None, keep: Sequence[str]) -> RowReader:
    """Read JSON lines, each of which must be an object: sentences from its member `column` (None: the one that is
    likely), and beside them the members named in `keep`.
    """
    lines = source.lines()
    first = next((line for line in lines if line is not None), None)
    found = _object(first or b"")
    fields = {} if isinstance(found, str) else found
    if column is None:
        texts = [name for name, value in fields.items() if isinstance(value, str)]
        column = choose(None, texts, list(fields), source.name)
    missing = [name for name in (column, *keep) if name not in fields]
    note = f"the first row has no {listed(missing)}; it has {listed(list(fields))}" if missing and first else None
    every = chain([] if first is None else [first], lines)  # a blank one is a row, and a bad one
    name = column
    rows = (None if line is None else _fields(line, name, keep) for line in every)
    return RowReader(rows, source.position, source.total, column, None, note)


def _line(line: bytes | None) -> Row | None:
    if line is None:
        return None
    if len(line) > MAX_LINE_BYTES:
        return _TOO_LONG
    try:
        return row(line.removesuffix(b"\r").decode())
    except UnicodeDecodeError:
        return _NO_UTF8


def _decoded(source: Source) -> Iterator[str]:
    """Yield lines for the csv module, including line ends, which may occur inside a cell."""
    for line in source.lines():
        if line is not None:  # csv knows no pause
            yield line.decode("utf-8", "surrogateescape") + "\n"


def _records(records: "_Csv", cells: int, places: Sequence[int], name: str) -> Iterator[Row]:
    while True:
        first = records.line_num + 1
        try:
            record = next(records, None)
        except csv.Error as error:
            if records.line_num > first or "unexpected end" in str(error):
                raise FileError(
                    f"{name}: a quote that opens in the record of line {first} isn't closed before line "
                    f"{records.line_num} ends ({error}); rows after it would be lost in its cell"
                ) from None
            yield Row("", f"is no CSV: {error}")  # a line by itself: it goes on with the next one
            continue
        if record is None:
            return
        if len(record) == cells:
            found, *kept = (record[index] for index in places)
            yield row(found, tuple(kept))
        elif record:
            yield Row("", f"has {len(record)} cells where the header has {cells}")


def _fields(line: bytes, column: str, keep: Sequence[str]) -> Row:
    if len(line) > MAX_LINE_BYTES:
        return _TOO_LONG
    found = _object(line)
    if isinstance(found, str):
        return Row("", found)
    kept = tuple(found.get(name) for name in keep)
    if column not in found:
        return Row("", f"has no column {column!r}", kept)
    return row(found[column], kept)


def _object(line: bytes) -> dict[str, Any] | str:
    """Return the JSON object that `line` is, or why it is none. No reason holds its text."""
    try:
        found = json.loads(line.decode(), parse_constant=_no_constant)
    except UnicodeDecodeError:
        return "is no valid UTF-8"
    except json.JSONDecodeError as error:
        return f"is no JSON: {error.msg} at character {error.pos}"
    except (ValueError, RecursionError) as error:
        return f"is no JSON that can be read ({type(error).__name__})"
    return found if isinstance(found, dict) else "is no JSON object"


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")
