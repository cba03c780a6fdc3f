"""Refuses a tokenizer's regular expression whose time grows faster than the length of a text.

pattern.py rules out exponential growth by how the expression is written. This module finds quadratic growth, by timing
texts that are made to be slow for the expression.
"""

import random
import string
import time
from collections.abc import Iterator
from functools import cache, lru_cache

import tokenizers
from tokenizers import pre_tokenizers

from .pattern import Pattern, PatternError, Power, read

_MAX_ATTEMPTS = Power(1000, 1)
"""Most attempts from one place in a text: GPT-2's has 30 times the text's length at most."""
_FEW_CHARS, _MANY_CHARS = 2048, 16_384
_SUSPICIOUS, _MAX_RATIO = 1.0, 5.0
"""Time that is looked into, for a few characters, and that is too much, for many. Splitting as many apart is 1.

For many, what importing writes takes up to 1.6 times as long, GPT-2's half; `q+z`, whose time is quadratic, 39 times.
"""
_TRIES = 2
_MIXED = 256
"""Repetitions in a text of what is repeated in every way, by chance."""
_OTHERS = (
    "\u00a0\u0301\u03a3\u00df\u00e9\u01c5\u02b0\u0627\u0663\u4e2d\u3042\uac00\u2028\u201c\u20ac\u2460\U0001f600\ue000"
)
"""Characters of classes that ASCII lacks."""
_SURROGATES = range(0xD800, 0xE000)


@lru_cache(maxsize=256)
def check_pattern(pattern: str) -> None:
    """Raise PatternError if a short text may take much time; its text is meant to follow the pattern."""
    parsed = read(pattern)
    if parsed.effort.degree > _MAX_ATTEMPTS.degree or parsed.effort.factor > _MAX_ATTEMPTS.factor:
        raise PatternError("has too many ways of reading one text")
    split = pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")
    for repeated, end in _hostile_texts(parsed, pattern):
        if _ratio(split, repeated, end, _FEW_CHARS) > _SUSPICIOUS and all(
            _ratio(split, repeated, end, _MANY_CHARS) > _MAX_RATIO for _ in range(_TRIES)
        ):
            raise PatternError("takes time that grows with the square of a text's length, or faster")


def _ratio(split: pre_tokenizers.PreTokenizer, repeated: str, end: str, chars: int) -> float:
    return _seconds(split, repeated * (chars // len(repeated)) + end) / _plain_seconds(chars)


@cache
def _plain_seconds(chars: int) -> float:
    split = pre_tokenizers.Split(tokenizers.Regex("q"), "isolated")
    return min(_seconds(split, "q" * chars) for _ in range(_TRIES))


def _seconds(split: pre_tokenizers.PreTokenizer, text: str) -> float:
    began = time.thread_time()
    split.pre_tokenize_str(text)
    return time.thread_time() - began


def _hostile_texts(parsed: Pattern, pattern: str) -> Iterator[tuple[str, str]]:
    """Yield texts to repeat, made from what the pattern repeats without bound, with a character of each kind to end
    them.

    Each kind also stands at the end, since characters that a pattern needs are searched for first.
    """
    if not parsed.runs:
        return
    matched = {character: _matched(character, pattern) for character in sorted(parsed.characters)}
    kinds = _kinds(matched)
    choose = random.Random(0)  # noqa: S311  no secret
    for run in parsed.runs:
        units = _units(run, matched, kinds)
        if len(units) > 1:
            units += ["".join(units), "".join(choose.choices(units, k=_MIXED))]
        for unit in units:
            for end in kinds:
                yield unit, end + "".join(kinds)


def _kinds(matched: dict[str, set[str]]) -> list[str]:
    """Return one character of each set of patterns that match it."""
    everything = set(string.printable) | set(_OTHERS) | set().union(*matched.values())
    kinds = {frozenset(key for key, chars in matched.items() if char in chars): char for char in sorted(everything)}
    return list(kinds.values())


def _units(run: tuple[str, ...], matched: dict[str, set[str]], kinds: list[str]) -> list[str]:
    """Return texts that `run` matches once, so that each of its kinds of characters is in one."""
    choices = [[kind for kind in kinds if kind in matched[character]] for character in run]
    if not all(choices):
        return []
    most = max(map(len, choices))
    return ["".join(chars[index % len(chars)] for chars in choices) for index in range(most)]


def _matched(character: str, pattern: str) -> set[str]:
    """Return characters that the pattern of one `character` matches: of ASCII, some others, and those in `pattern`."""
    find = pre_tokenizers.Split(tokenizers.Regex(character), "removed", invert=True)
    sample = "".join(dict.fromkeys(string.printable + _OTHERS + pattern))
    found = find.pre_tokenize_str(sample) or find.pre_tokenize_str(_all_characters())
    return {match for match, _ in found}


@cache
def _all_characters() -> str:
    return "".join(chr(code) for code in range(0x110000) if code not in _SURROGATES)
