"""Reads the row of each word from a vocabulary: one word a line, words with counts, JSON, or AllenNLP's folder.

Ambiguous files (a repeated word, an empty line, a byte order mark) are refused, naming file and line.
"""

import json
import re
from collections.abc import Collection, Iterable
from itertools import count
from pathlib import Path

from bothends.text import printable

from .definition import TokenisingError, must_be_text
from .rows import rows_in_use

_COUNTED = re.compile(r"(.*\S)[ \t]+(\d+)")
_VECTOR = re.compile(r"\S+(?:[ \t]+[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?){2,}\s*")
"""A word and at least two numbers: no count."""
_HEADER = re.compile(r"\d+ \d+")
"""First line of fastText's: how many words, and how many numbers each."""
_SAMPLE = 100
"""Lines that are looked at to tell vectors from words."""
_PADDING, _UNKNOWN, _NEWLINE = "@@PADDING@@", "@@UNKNOWN@@", "@@NEWLINE@@"
"""AllenNLP's own words for row 0, for unknown words, and for a line's end inside a word."""


def read_lines(path: Path, *, unused: Collection[int] = ()) -> dict[str, int]:
    """Return the row of each word in a file with one word a line, or with `word count` or `word<TAB>count` in every
    line.

    Lines have the rows 0, 1, 2 …, skipping those in `unused`. Raises TokenisingError, naming file and line.
    """
    lines = _lines(path)
    _must_be_words(lines, path)
    counted = [_COUNTED.fullmatch(line) for line in lines]
    if any(counted) and not all(counted):
        number = counted.index(None) + 1
        raise TokenisingError(f"{path}:{number}: no count stands behind the word, as it does in other lines")
    words = [match[1] if match else line for match, line in zip(counted, lines, strict=True)]
    for number, word in enumerate(words, 1):
        if word != word.strip():
            raise TokenisingError(f"{path}:{number}: white space stands around {printable(word)!r}; write it without")
    numbered = _numbered(words, path, rows_in_use(unused))
    _must_be_counts([int(match[2]) for match in counted if match], path)
    return numbered


def _must_be_words(lines: list[str], path: Path) -> None:
    """Raise TokenisingError where the file is GloVe's or fastText's text, a word and its vector in each line."""
    (head, *_), sample = lines, lines[: 1 + _SAMPLE]
    named = [_VECTOR.fullmatch(line) for line in sample[1 if _HEADER.fullmatch(head) else 0 :]]
    if named and all(named):
        dimension = len(lines[-1].split()) - 1
        raise TokenisingError(
            f"{path} holds word vectors, as GloVe and fastText write them: a word and {dimension} numbers in each line"
            ". A vocabulary has the words alone, a line each, in the order of the table's rows: "
            f"cut -d' ' -f1 {path.name} > words.txt{', without its first line' if _HEADER.fullmatch(head) else ''}"
        )


def _must_be_counts(numbers: list[int], path: Path) -> None:
    """Raise TokenisingError where the numbers behind words are places in an order, which may be the rows themselves."""
    for first in (0, 1):
        places = list(range(first, first + len(numbers)))
        if len(numbers) > 1 and sorted(numbers) == places and (numbers != places or first):
            raise TokenisingError(
                f"{path}: the numbers behind its words are {first} to {places[-1]}, each once, so they may be rows and "
                "no counts; write the words alone in the order of the rows, or a .json of each word's row"
            )


def read_json(path: Path) -> dict[str, int]:
    """Return the row of each word in a JSON object from word to row.

    Raises TokenisingError, naming the file and the word.
    """
    try:
        words = json.loads(text_of(path), object_pairs_hook=_pairs)
    except (ValueError, RecursionError) as error:
        raise TokenisingError(f"{path} is no JSON that can be used: {printable(error)}") from error
    if not isinstance(words, dict):
        raise TokenisingError(f"{path} holds a {type(words).__name__}; expected an object of each word's row")
    for word, row in words.items():
        must_be_text(word, str(path))
        if type(row) is not int or row < 0:
            raise TokenisingError(f"{path}: the row of {printable(word)!r} is {printable(row)}; expected 0, 1, 2 …")
    return words


def read_allennlp(folder: Path, *, namespace: str = "tokens") -> dict[str, int]:
    """Return the row of each word in a vocabulary folder of AllenNLP; its unknown words are `@@UNKNOWN@@`.

    A padded namespace counts from 1, since row 0 is padding. Raises TokenisingError, naming file and line; also for a
    namespace without padding, which AllenNLP uses for labels and not for words.
    """
    if any(_matches(pattern, namespace) for pattern in _lines(folder / "non_padded_namespaces.txt", empty=True)):
        raise TokenisingError(
            f"{folder / 'non_padded_namespaces.txt'}: {namespace} is a namespace of labels; "
            "a vocabulary of words has rows for padding and unknown words"
        )
    path = folder / f"{namespace}.txt"
    lines = _lines(path)
    if _UNKNOWN not in lines:
        raise TokenisingError(f"{path} has no line {_UNKNOWN}, which stands for unknown words in a padded namespace")
    words = _numbered([line.replace(_NEWLINE, "\n") for line in lines], path, count(1))
    return {_PADDING: 0, **words}


def _matches(pattern: str, namespace: str) -> bool:
    """Match a namespace as AllenNLP does: the star of `*tags` is the start of any name."""
    return pattern == namespace or (pattern.startswith("*") and namespace.endswith(pattern[1:]))


def _numbered(words: list[str], path: Path, rows: Iterable[int]) -> dict[str, int]:
    lines: dict[str, int] = {}
    for line, word in enumerate(words, 1):
        if (first := lines.setdefault(word, line)) != line:
            raise TokenisingError(
                f"{path}:{line}: {printable(word)!r} stands in line {first} too; which of the two rows is its own?"
            )
    return dict(zip(lines, rows, strict=False))


def _lines(path: Path, *, empty: bool = False) -> list[str]:
    """Lines of a file without their ends, LF or CRLF in all of it."""
    lines = text_of(path).split("\n")
    if lines[-1] == "":
        lines.pop()
    if not lines and not empty:
        raise TokenisingError(f"{path} is empty; expected one word a line")
    end = "\r" if lines and lines[0].endswith("\r") else ""
    for number, line in enumerate(lines, 1):
        if (not line.endswith(end) and number < len(lines)) or "\r" in line.removesuffix(end):
            raise TokenisingError(
                f"{path}:{number}: its end isn't that of the line before (LF or CRLF); use LF for all"
            )
        if not line.removesuffix(end):
            raise TokenisingError(f"{path}:{number}: an empty line; is it a row of the table or none?")
    return [line.removesuffix(end) for line in lines]


def text_of(path: Path) -> str:
    """Return the file's text, which must be UTF-8. Raises TokenisingError, naming file and line."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TokenisingError(f"{path} can't be read: {error.strerror}") from error
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise TokenisingError(f"{path}:1: starts with a byte order mark; save it as UTF-8 without one")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise TokenisingError(
            f"{path}:{number}: is no UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise ValueError(f"{twice!r} stands in it twice")
    return found
