"""Parts of a tokenizer.json, and the result of an import: its text, and the table row of each id.

Patterns are in Oniguruma's syntax, which the tokenizers library uses; classes that Python's `re` reads differently are
spelled out.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tokenizers

from bothends.errors import BothendsError
from bothends.text import printable

Step = dict[str, Any]
"""One normaliser or pre-tokeniser, as it is written in a tokenizer.json."""

SPACE = r"[\s\x1C-\x1F]"
"""Class of what Python's `str.split`, `str.strip` and `re`'s `\\s` take as white space."""
WORD = r"[\p{L}\p{N}_]"
r"""Character class equal to `\w` of Python's `re`, which excludes combining marks."""


class TokenisingError(BothendsError):
    """Tokeniser that is broken, doesn't fit the table, or can't be expressed as a tokenizer.json."""


@dataclass(frozen=True, slots=True)
class Tokenising:
    """Result of converting a tokeniser."""

    definition: str
    """The text of a tokenizer.json. Its ids are below the number of `rows`."""
    rows: list[int]
    """Row of the source's own table that is the vector of each id. Ids may share a row."""
    notes: tuple[str, ...] = ()
    """Differences that its tokens can have from the original's, a sentence each; for the person who imports."""


def replace(pattern: str, content: str) -> Step:
    """Return the step that replaces every match of a pattern by `content`; an empty match inserts it."""
    return {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}


def literal(text: str, content: str) -> Step:
    """Return the step that replaces every `text`, from the left, by `content`."""
    return {"type": "Replace", "pattern": {"String": text}, "content": content}


def lowered() -> list[Step]:
    """Return steps equal to Python's `str.lower`.

    The library's own lacks the Greek sigma's form at the end of a word.
    """
    final = r"(?!\p{Case_Ignorable})\p{Cased}\p{Case_Ignorable}*+\KΣ(?!\p{Case_Ignorable}*+\p{Cased})"
    return [replace(final, "ς"), {"type": "Lowercase"}]


def split_out(pattern: str) -> Step:
    """Return a pre-tokeniser whose pieces are the text between matches."""
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Removed", "invert": False}


def split_into(pattern: str) -> Step:
    """Return a pre-tokeniser whose pieces are the matches."""
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Removed", "invert": True}


def sequence(kind: str, steps: Sequence[Step]) -> Step | None:
    """Return a sequence of steps; `kind` is "normalizers" or "pretokenizers". None for no steps."""
    return {"type": "Sequence", kind: list(steps)} if steps else None


def template(before: Sequence[tuple[str, int]], after: Sequence[tuple[str, int]]) -> Step | None:
    """Return the step that puts tokens (text, id) before and after each sentence."""
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
    """Return the text of a tokenizer.json: its steps `normalise` and `split` a text, its `model` finds the tokens, and
    the tokens (text, id) of `before` and `after` are put around them.

    Raises TokenisingError if the library can't load it.
    """
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
    """Return the tokenizer that the text defines. Raises TokenisingError if the library can't load or run it."""
    try:
        tokenizer = tokenizers.Tokenizer.from_str(definition)
        tokenizer.encode("a")
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic in the library is no Exception
        raise TokenisingError(f"it makes no tokenizer that works: {printable(error)}") from error
    return tokenizer


def must_be_text(word: str, where: str) -> str:
    """Return the word. Raises TokenisingError, naming `where` it was found, if it has a lone surrogate."""
    try:
        word.encode()
    except UnicodeEncodeError as error:
        raise TokenisingError(f"{where}: a token is no valid Unicode ({error.reason})") from error
    return word
