"""Patterns whose time follows the text's length are let in; those that a short text holds up are refused."""

import pytest

from bothends.model.pattern import PatternError
from bothends.model.pattern_check import check_pattern
from bothends_importing.tokenising import laser, nltk_words

IMPORTED = {
    step["pattern"]["Regex"]
    for steps in (laser.preprocessing(), nltk_words.steps(), nltk_words.moses_steps())
    for step in steps
    if "Regex" in step.get("pattern", {})
}
PIECES = r"(?=(?m:.)[\p{M}\u0300])(?>(?:[e](?:[\u0301]|[\u0302](?:[\u0303])?+))\K|)(?m:.)\K"
"""Such as a SentencePiece model's table is cut by."""
WORDS = r"[\p{L}_]++|(?:(?![\p{L}_]|[\s\x1C-\x1F])(?m:.))++"
"""Such as `re.findall(r"\\w+|[^\\w\\s]+", text)` becomes."""
GPT_2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
GPT_4O = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CLIP = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
T5 = " {2,}"
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"
OTHERS = [
    r"\s+",
    r"\w+|[^\w\s]+",
    r"(?i)don't|'s",
    r"[[:punct:]]",
    r"(?:\.\s){2}",
    r"\#|\ ",
    r"[\u4e00-\u9fff]",
    "a{3}",
]

ENDLESS = "repeats without end a group"
MANY = "too many ways of reading one text"
ODD = "isn't allowed there"
SQUARE = "grows with the square"
HOSTILE = {
    r"(q+q+)+z": ENDLESS,
    r"(q+)+": ENDLESS,
    r"(q*)*z": ENDLESS,
    r"(q|q)*z": ENDLESS,
    r"(?:q|qq)+z": ENDLESS,
    r"(?:[qr]|[rs])+z": ENDLESS,
    r"(\w+\s?)*$": ENDLESS,
    r"^(([a-z])+.)+[A-Z]([a-z])+$": ENDLESS,
    r"(?:q+)++z": ENDLESS,
    r"(?>(?:q+q+)+z)": ENDLESS,
    r"(?=(q+)+z)q": ENDLESS,
    r"(?<!q)(q+q+)+z": ENDLESS,
    r"q{2,}{2,}z": ENDLESS,
    r"q{2,3}+z": ENDLESS,
    r"(?i)(q+Q+)+z": ENDLESS,
    "(?i:[ßs]+)z": ENDLESS,
    r"(?:(?=q+)q)+z": ENDLESS,
    r"(?:(?!r)q|qq)+z": ENDLESS,
    r"(?:q?){24}q{24}z": MANY,
    r"(?:(?=(?:q?){8}r)q){60}": MANY,
    "q?" * 24 + "q" * 24: MANY,
    "q{1,3}" * 14 + "z": MANY,
    r"q*q*z": MANY,
    r"\s*\s*\s*x": MANY,
    r"(q)\1+": ODD,
    r"(?<a>q)\g<a>*": ODD,
    r"(?x) q # (": ODD,
    r"(?~q)": ODD,
    r"(?(1)q|z)": ODD,
    r"[\c[q](q+q+)+z]": ODD,
    r"[[:q](q+q+)+z:]]": "a class that isn't known",
    r"[]](q+q+)+z]": "a class of no characters",
    r"[q": "isn't closed",
    r"(q": "isn't closed",
    r"q)": "isn't open",
    r"q+z": SQUARE,
    r"(?:q[wv])+z": SQUARE,
}
SLOWLY_REFUSED = [r"q*?z", r"[qr]+z", r"\s+$", r"(?=q+z)q", r"z.*q|z", r"\p{Deseret}+z", r"(?:(?!r)q)+z"]
"""Each takes seconds to be found out."""


@pytest.mark.parametrize(
    "pattern", [GPT_2, LLAMA_3, GPT_4O, WORDS, PIECES, CLIP, T5, BLOOM, *OTHERS, *sorted(IMPORTED)]
)
def test_patterns_of_known_tokenizers_are_let_in(pattern: str) -> None:
    check_pattern(pattern)


@pytest.mark.parametrize("pattern", HOSTILE)
def test_patterns_that_a_short_text_holds_up_are_refused(pattern: str) -> None:
    with pytest.raises(PatternError, match=HOSTILE[pattern]):
        check_pattern(pattern)


@pytest.mark.slow
@pytest.mark.parametrize("pattern", SLOWLY_REFUSED)
def test_patterns_whose_time_is_quadratic_are_refused(pattern: str) -> None:
    with pytest.raises(PatternError, match=SQUARE):
        check_pattern(pattern)
