"""Rules that cut text into words, each named by the equivalent Python, and a check that a tokenizer.json follows them.

NLTK's rules are compared with NLTK itself if it is installed.
"""

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from bothends.text import printable

from .definition import Tokenising, TokenisingError, must_load

Split = Literal["whitespace", "words", "words_and_marks", "nltk", "nltk_moses"]
"""Ways to cut text into words:

- `whitespace`: `text.split()`
- `words`: `re.findall(r"\\w+|[^\\w\\s]+", text)`; a run of marks is one token
- `words_and_marks`: `re.findall(r"\\w+|[^\\w\\s]", text)`; each mark is a token
- `nltk`: `NLTKWordTokenizer().tokenize(text)`, see `nltk_words`
- `nltk_moses`: the same, with InferSent's change of "do n't" to "don 't"
"""


@dataclass(frozen=True, slots=True)
class WordRules:
    """Rules by which text becomes words of a vocabulary."""

    split: Split
    lowercase: bool
    """True for Python's `str.lower` before the split."""
    unknown: str | None
    """Word whose row unknown words get; with None they are dropped."""
    before: tuple[str, ...] = ()
    """Words set before each sentence."""
    after: tuple[str, ...] = ()
    """Words set after each sentence."""


_Cut = Callable[[str], list[str]]

_MAX_WORDS, _WORDS_A_TEXT = 3000, 60
_PROBES = (
    "",
    " ",
    'The quick brown fox, it\'s 3.14% of $5 (or so)... "quoted" – and/or «that»?',
    "  two  spaces\tand\u00a0others\u3000here \u200b \u2028 ",
    "They don't, can't and won't; I'd say 'tis \"not\" theirs (isn't it?).",
    "ΟΔΥΣΣΕΥΣ İstanbul STRASSE e\u0301a\u0308 日本語 中文 한국어 العربية 👩\u200d👧",
    "<s> </s> <unk> <pad> [CLS] ## a_b a-b A.B. 1,000.5 x@y.z #tag",
)


def must_agree(made: Tokenising, words: Mapping[str, int], rules: WordRules) -> None:
    """Raise TokenisingError if difficult texts, or the vocabulary's own words, get other rows than the original
    gives.
    """
    original = _original(rules.split)
    if original is None:
        return
    ours = must_load(made.definition)
    unknown = None if rules.unknown is None else words[rules.unknown]
    for text in (*_PROBES, *_texts_of(words)):
        read = [*rules.before, *original(text.lower() if rules.lowercase else text), *rules.after]
        rows = [row for word in read if (row := words.get(word, unknown)) is not None]
        if [made.rows[index] for index in ours.encode(text).ids] != rows:
            raise TokenisingError(
                f"the tokenizer that split = {rules.split!r} became gives other rows for {printable(ascii(text[:80]))} "
                "than its original, so it can't be had"
            )


def _original(split: Split) -> _Cut | None:
    """Return the Python function that a split is named after; None for NLTK's if it isn't installed."""
    if split in _PYTHON:
        return _PYTHON[split]
    try:
        tokenize: _Cut = importlib.import_module("nltk.tokenize").NLTKWordTokenizer().tokenize
    except ImportError:
        return None
    if split == "nltk":
        return tokenize
    return lambda text: " ".join(tokenize(text)).replace(" n't ", "n 't ").split()


_PYTHON: dict[Split, _Cut] = {
    "whitespace": str.split,
    "words": re.compile(r"\w+|[^\w\s]+").findall,
    "words_and_marks": re.compile(r"\w+|[^\w\s]").findall,
}


def _texts_of(words: Mapping[str, int]) -> Iterator[str]:
    """Texts of the vocabulary's own words, the first and the last among them."""
    known = list(words)
    chosen = [*known[:: len(known) // _MAX_WORDS + 1], known[-1]]
    for start in range(0, len(chosen), _WORDS_A_TEXT):
        yield " ".join(chosen[start : start + _WORDS_A_TEXT])
