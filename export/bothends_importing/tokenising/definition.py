"""The parts of a tokenizer.json, and the result of an import: its text, and the rows that its ids stand for.

Patterns are Oniguruma's, which the tokenizers library uses; classes that Python's `re` reads otherwise are spelled out.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tokenizers

from bothends.errors import BothendsError
from bothends.text import printable

Step = dict[str, Any]
"""One normaliser or pre-tokeniser, as it stands in a tokenizer.json."""

SPACE = r"[\s\x1C-\x1F]"
"""Class of what Python's `str.split`, `str.strip` and `re`'s `\\s` take as white space."""
WORD = r"[\p{L}\p{N}_]"
"""Class of what Python's `re` takes as `\\w`: combining marks are none of it."""


class TokenisingError(BothendsError):
    """A source tokeniser is broken, doesn't fit the table, or can't be had in a tokenizer.json."""


@dataclass(frozen=True, slots=True)
class Tokenising:
    """Result of mapping a source tokeniser."""

    definition: str
    """The text of a tokenizer.json. Its ids are below the number of `rows`."""
    rows: list[int]
    """Row of the source's own table that is the vector of each id. Ids may share a row."""
    notes: tuple[str, ...] = ()
    """Differences that its tokens can have from the original's, a sentence each; for the person who imports."""


def replace(pattern: str, content: str) -> Step:
    """Every match of a pattern becomes `content`; a match of nothing inserts it."""
    return {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}


def literal(text: str, content: str) -> Step:
    """Every `text`, taken from the left, becomes `content`."""
    return {"type": "Replace", "pattern": {"String": text}, "content": content}


def lowered() -> list[Step]:
    """Python's `str.lower`. The library's own knows one lower sigma; Greek has another at the end of a word."""
    final = r"(?!\p{Case_Ignorable})\p{Cased}\p{Case_Ignorable}*+\KΣ(?!\p{Case_Ignorable}*+\p{Cased})"
    return [replace(final, "ς"), {"type": "Lowercase"}]


def split_out(pattern: str) -> Step:
    """A pre-tokeniser whose pieces are what stands between the matches."""
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Removed", "invert": False}


def split_into(pattern: str) -> Step:
    """A pre-tokeniser whose pieces are the matches."""
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Removed", "invert": True}


def sequence(kind: str, steps: Sequence[Step]) -> Step | None:
    """Steps one after the other; `kind` is "normalizers" or "pretokenizers"."""
    return {"type": "Sequence", kind: list(steps)} if steps else None


def template(before: Sequence[tuple[str, int]], after: Sequence[tuple[str, int]]) -> Step | None:
    """Tokens (text, id) set around each sentence."""
    if not before and not after:
        return None
    around = {text: {"id": text, "ids": [index], "tokens": [text]} for text, index in (*before, *after)}
    ends = [[{"SpecialToken": {"id": text, "type_id": 0}} for text, _ in end] for end in (before, after)]
    one = [*ends[0], {"Sequence": {"id": "A", "type_id": 0}}, *ends[1]]
    return {
        "type": "TemplateProcessing",
        "single": one,
        "pair": [*one, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": around,
    }


def assemble(
    model: dict[str, Any],
    *,
    normalise: Sequence[Step] = (),
    split: Sequence[Step] = (),
    before: Sequence[tuple[str, int]] = (),
    after: Sequence[tuple[str, int]] = (),
) -> str:
    """The text of a tokenizer.json. Raises TokenisingError if the library can't load it."""
    definition = json.dumps(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [],
            "normalizer": sequence("normalizers", normalise),
            "pre_tokenizer": sequence("pretokenizers", split),
            "post_processor": template(before, after),
            "decoder": None,
            "model": model,
        },
        ensure_ascii=False,
    )
    must_load(definition)
    return definition


def must_load(definition: str) -> tokenizers.Tokenizer:
    """The tokenizer that the text defines. Raises TokenisingError if it defines none that works."""
    try:
        tokenizer = tokenizers.Tokenizer.from_str(definition)
        tokenizer.encode("a")
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic in the library is no Exception
        raise TokenisingError(f"it makes no tokenizer that works: {printable(error)}") from error
    return tokenizer


def must_be_text(word: str, where: str) -> str:
    """The word itself. Raises TokenisingError, naming `where` it stands, if it holds half a surrogate pair."""
    try:
        word.encode()
    except UnicodeEncodeError as error:
        raise TokenisingError(f"{where}: a token is no valid Unicode ({error.reason})") from error
    return word
