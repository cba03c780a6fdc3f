"""Writes a tokenizer.json for a vocabulary of whole words and a rule that cuts text into them.

Each rule is named by the equivalent Python, and compared with it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bothends.text import printable

from . import nltk_words
from .definition import SPACE, WORD, Step, Tokenising, TokenisingError, assemble, lowered, split_into, split_out
from .word_rules import Split, WordRules, must_agree

_MARK = " "
"""Mark that is set before every word where unknown ones are dropped. No split leaves white space in a word."""

_SPLITS: dict[Split, tuple[list[Step], Step]] = {
    "whitespace": ([], split_out(f"{SPACE}+")),
    "words": ([], split_into(rf"{WORD}++|(?:(?!{WORD}|{SPACE})(?m:.))++")),
    "words_and_marks": ([], split_into(rf"{WORD}++|(?!{WORD}|{SPACE})(?m:.)")),
    "nltk": (nltk_words.steps(), split_out(f"{SPACE}+")),
    "nltk_moses": (nltk_words.moses_steps(), split_out(f"{SPACE}+")),
}


def tokenise_words(words: Mapping[str, int], rules: WordRules, *, rows: int) -> Tokenising:
    """Return the tokenizer.json of a vocabulary: `words` gives each word's row in a table of `rows` rows.

    A word of `before` or `after` that the vocabulary lacks is dropped, with a note, if unknown words are dropped too.
    Raises TokenisingError if it is lacking and they aren't, if `unknown` is lacking, if a row isn't in the table, or if
    texts get other rows than the equivalent Python gives.
    """
    must_fit(words, rows=rows)
    known = {word: row for word, row in sorted(words.items(), key=lambda item: item[1]) if word}
    ids = {word: index for index, word in enumerate(known)}
    notes = [*nltk_words.NOTES] if rules.split.startswith("nltk") else []
    ends = [_around(end, ids, rules, notes) for end in (rules.before, rules.after)]
    steps, split = _SPLITS[rules.split]
    definition = assemble(
        _dropping(ids) if rules.unknown is None else _replacing(ids, rules.unknown),
        normalise=[*(lowered() if rules.lowercase else ()), *steps],
        split=[split] if rules.unknown is not None else [split, _marked()],
        before=ends[0],
        after=ends[1],
    )
    made = Tokenising(definition, list(known.values()), tuple(notes))
    must_agree(made, words, rules)
    return made


def must_fit(words: Mapping[str, int], *, rows: int) -> None:
    """Raise TokenisingError unless there is a word and each word's row is in a table of `rows` rows."""
    if not any(words):
        raise TokenisingError("the vocabulary is empty; it needs at least one word")
    word, row = max(words.items(), key=lambda item: item[1])
    if row >= rows:
        raise TokenisingError(
            f"the vocabulary doesn't fit the table: {printable(word)!r} has row {row}, the table rows 0 to {rows - 1}"
        )
    word, row = min(words.items(), key=lambda item: item[1])
    if row < 0:
        raise TokenisingError(f"the vocabulary gives {printable(word)!r} row {row}; rows count from 0")


def _around(words: Sequence[str], ids: Mapping[str, int], rules: WordRules, notes: list[str]) -> list[tuple[str, int]]:
    for word in words:
        if word not in ids and rules.unknown is not None:
            raise TokenisingError(f"{printable(word)!r} is set around each sentence, but is no word of the vocabulary")
        if word not in ids:
            notes.append(f"The vocabulary has no {printable(word)!r}, so sentences go without it, as unknown words do.")
    return [(word, ids[word]) for word in words if word in ids]


def _replacing(ids: Mapping[str, int], unknown: str) -> dict[str, Any]:
    if unknown not in ids:
        raise TokenisingError(f"unknown words are to get {printable(unknown)!r}, which is no word of the vocabulary")
    return {"type": "WordLevel", "vocab": dict(ids), "unk_token": unknown}


def _dropping(ids: Mapping[str, int]) -> dict[str, Any]:
    """A model of whole words that leaves out the others: BPE without a merge.

    `ignore_merges` finds a word that is in the vocabulary. Another is taken apart into characters, and since every
    entry has two at least, the mark and one more, no character is an entry; without an `unk_token` they vanish.
    """
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": True,
        "vocab": {_MARK + word: index for word, index in ids.items()},
        "merges": [],
    }


def _marked() -> Step:
    return {"type": "Metaspace", "replacement": _MARK, "prepend_scheme": "always", "split": False}
