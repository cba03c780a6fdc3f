"""Renders pydantic's ValidationErrors as one line for people: which key, what is wrong, what was found."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from .text import printable


@dataclass(frozen=True, slots=True)
class Problem:
    """Problem that pydantic has found."""

    path: tuple[str, ...]
    """Keys that lead to the wrong value, outermost first; empty for the whole."""
    kind: str
    """Pydantic's word for it, such as `missing` or `extra_forbidden`."""
    message: str
    """Sentence about it, such as `Input should be less than 65536`."""
    found: Any
    """Value that is wrong."""

    @property
    def lower_message(self) -> str:
        """Return the message in lower case, to follow a colon."""
        return f"{self.message[:1].lower()}{self.message[1:]}"


def first_problem(error: ValidationError) -> Problem:
    """Return the first problem of `error`."""
    first = error.errors(include_url=False, include_context=False)[0]
    return Problem(tuple(map(str, first["loc"])), first["type"], first["msg"], first["input"])


def one_line(error: ValidationError) -> str:
    """Return the first problem in the form `server.port: Input should be less than 65536, found 70000`."""
    first = first_problem(error)
    where = ".".join(map(printable, first.path))
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    found = "" if first.kind in ("missing", "extra_forbidden") else f", found {first.found!r:.80}"
    return f"{where}: {first.message}{found}{more}" if where else f"{first.message}{found}{more}"


def grow_within(sizes: Iterable[int], whole: int) -> bool:
    """Return True if each size is larger than the one before it, and the last smaller than `whole`."""
    return all(size < larger for size, larger in pairwise((*sizes, whole)))
