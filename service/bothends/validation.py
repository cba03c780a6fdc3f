"""A pydantic ValidationError to one line for a person: which key, what is wrong, what was found."""

from collections.abc import Iterable
from itertools import pairwise

from pydantic import ValidationError


def one_line(error: ValidationError) -> str:
    """The first problem, in the form `server.port: Input should be less than 65536, found 70000`."""
    first = error.errors(include_url=False)[0]
    where = ".".join(printable(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    found = "" if first["type"] in ("missing", "extra_forbidden") else f", found {first['input']!r:.80}"
    return f"{where}: {first['msg']}{found}{more}" if where else f"{first['msg']}{found}{more}"


def grow_within(sizes: Iterable[int], whole: int) -> bool:
    """Return whether each size is larger than the one before it, and the last smaller than `whole`."""
    return all(size < larger for size, larger in pairwise((*sizes, whole)))


def printable(untrusted: object) -> str:
    """Text of `untrusted` for one line of a log or a terminal: no control characters, and not long."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in f"{untrusted!s:.300}"
    )
