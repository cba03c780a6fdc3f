"""Checks that each row of a table has one word of the vocabulary, except for rows that are declared unused.

A vocabulary that lacks one word gives every later word its neighbour's row, which no comparison that starts from ids
can detect.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import count

from bothends.text import printable

from .definition import TokenisingError

WAY_OUT = "unused_rows, under [tokenizer] in the TOML of --encoder, says which rows truly have none"
OF_LINES = "Is the first line missing, the last one, or the lines of special words (padding, unknown, start, end)?"
"""Likely causes where words are lines of a file."""
OF_PIECES = (
    "Are special tokens missing (padding, unknown, start, end), does the library that trained the encoder put rows of "
    "its own before these, or was the table made larger to a round number?"
)
"""Likely causes where a tokenizer numbers its own tokens."""
_MAX_SHOWN = 6


def unused_rows(said: Sequence[int | str], *, rows: int) -> frozenset[int]:
    """Return the rows that the user names in `said`, as numbers or ranges like "30-35" (inclusive), of a table of
    `rows`.

    Raises TokenisingError for what is neither, or isn't in the table.
    """
    found: set[int] = set()
    for entry in said:
        first, dash, last = str(entry).partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)):
            raise TokenisingError(f'unused_rows has {printable(entry)!r}; expected a row, as 7, or rows, as "7-9"')
        start, end = int(first), int(last or first)
        if not start <= end < rows:
            raise TokenisingError(f"unused_rows has {printable(entry)}; the table has rows 0 to {rows - 1}")
        found.update(range(start, end + 1))
    return frozenset(found)


def rows_in_use(unused: Collection[int]) -> Iterator[int]:
    """Yield the row numbers 0, 1, 2, … that aren't in `unused`, without end: the rows of an embedding table to give
    words to.
    """
    return (row for row in count() if row not in unused)


def must_name_each_row(
    words: Mapping[str, int], source: object, *, rows: int, unused: Collection[int] = (), causes: str = OF_LINES
) -> None:
    """Raise TokenisingError unless each of a table's `rows` has one word, and each of `unused` none.

    The error names `source`, both counts, and the likely `causes`.
    """
    if not words:
        raise TokenisingError(f"{source}: the vocabulary is empty; it needs at least one word")
    both = f"{source}: {len(words)} words, and the table has {rows} rows"
    word, row = max(words.items(), key=lambda item: item[1])
    if row >= rows:
        raise TokenisingError(
            f"{both}: {printable(word)!r} would get row {row}, and the last is {rows - 1}. Is a header line taken for "
            "a word, are special tokens in it that were added after training, or is it another encoder's vocabulary?"
        )
    _must_differ(words, source)
    named = set(words.values())
    if contradicted := sorted(named & set(unused)):
        word = next(word for word, row in words.items() if row == contradicted[0])
        raise TokenisingError(
            f"{source}: unused_rows says that row {contradicted[0]} has no word, and {printable(word)!r} has it"
        )
    if missing := [row for row in range(rows) if row not in named and row not in unused]:
        raise TokenisingError(
            f"{both}{f', {len(unused)} of them unused' if unused else ''}: no word has {listed(missing)}. {causes} "
            f"Words would get the vectors of others, so give each row its word; {WAY_OUT}"
        )


def _must_differ(words: Mapping[str, int], source: object) -> None:
    first: dict[int, str] = {}
    for word, row in words.items():
        if (other := first.setdefault(row, word)) != word:
            raise TokenisingError(
                f"{source}: {printable(other)!r} and {printable(word)!r} both have row {row}; which of them is it?"
            )


def listed(rows: Iterable[int]) -> str:
    """Return rows as text: "row 7", or "rows 0, 3 and 30-35"."""
    ranges: list[list[int]] = []
    for row in rows:
        if ranges and row == ranges[-1][1] + 1:
            ranges[-1][1] = row
        else:
            ranges.append([row, row])
    shown = [str(start) if start == end else f"{start}-{end}" for start, end in ranges]
    if len(shown) > _MAX_SHOWN:
        shown = [*shown[:_MAX_SHOWN], f"{len(shown) - _MAX_SHOWN} more ranges"]
    joined = f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]
    return f"row {joined}" if ranges[0][0] == ranges[-1][1] else f"rows {joined}"
