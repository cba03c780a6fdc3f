"""Groups the rows of an input into windows, each with a digest of everything read up to its end."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..chunks import WINDOW, WINDOW_CHARS
from ..text import is_blank, unicode_problem

MAX_CHARS = 65536
"""Most characters of a sentence: a server's own limit by default."""
BLANK = "is empty; a sentence needs at least one word"
"""Reason of a row that holds no more than spaces."""
_FIRST = 64
"""Rows of the first window where a person waits for the first answer; each further one is twice as large."""


class Row(NamedTuple):
    """Row of the input: a sentence, or the reason why it has none."""

    text: str
    problem: str | None = None
    kept: tuple[Any, ...] = ()
    """Values of the columns that are to be kept, in their order."""


@dataclass(frozen=True, slots=True)
class Window:
    """Rows that are embedded together, then written and committed together."""

    first: int
    """Number of the first row in the input, from 0."""
    rows: list[Row]
    digest: str
    """Digest of all rows of the input up to the window's end."""
    position: int
    """Position of the input at the window's end, in its reader's units."""

    @property
    def end(self) -> int:
        """Number of the row after the window."""
        return self.first + len(self.rows)


def row(text: object, kept: tuple[Any, ...] = ()) -> Row:
    """Make a row whose sentence is `text`, or that holds the reason why `text` isn't a sentence."""
    if not isinstance(text, str):
        return Row("", "is null, not a string" if text is None else f"is no string ({type(text).__name__})", kept)
    if len(text) > MAX_CHARS:
        return Row("", f"has {len(text)} characters; the limit is {MAX_CHARS}", kept)
    if is_blank(text):
        return Row("", BLANK, kept)
    if not all(map(_is_unicode, (text, *kept))):
        return Row("", "is no valid UTF-8", tuple(value if _is_unicode(value) else None for value in kept))
    return Row(text, None, kept)


def _is_unicode(value: object) -> bool:
    """Return whether `value` isn't text, or text that has UTF-8: no half of a surrogate pair, no byte that was none."""
    return not isinstance(value, str) or unicode_problem(value) is None


def windows(rows: Iterable[Row | None], position: Callable[[], int], *, eager: bool) -> Iterator[Window | None]:
    """Cut `rows` into windows by number and size; the same rows are always cut in the same way.

    With `eager` that isn't so, because a person waits for answers: the first windows are small, and a None in `rows`,
    which means that nothing more has arrived yet, ends a window and is passed on.
    """
    digest, first, gathered, chars = hashlib.sha256(), 0, list[Row](), 0
    most = _FIRST if eager else WINDOW

    def cut() -> Window:
        nonlocal first, gathered, chars, most
        window = Window(first, gathered, digest.hexdigest(), position())
        first, gathered, chars, most = window.end, [], 0, min(WINDOW, 2 * most)
        return window

    for each in rows:
        if each is not None:
            gathered.append(each)
            content = f"{each.text}\x1f{each.problem or ''}\x1f{each.kept or ''}\x1e"
            digest.update(content.encode("utf-8", "surrogatepass"))
            chars += len(content)
            if len(gathered) >= most or chars >= WINDOW_CHARS:
                yield cut()
        elif eager:
            if gathered:
                yield cut()
            yield None
    if gathered:
        yield cut()
