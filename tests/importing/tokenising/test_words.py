"""Whole words: the same rows as the Python that each rule is named by, on hard text and with hard vocabularies."""

import random
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings

from bothends_importing.tokenising.definition import TokenisingError
from bothends_importing.tokenising.word_rules import Split, WordRules
from bothends_importing.tokenising.words import tokenise_words

from ..nltk_words import nltk_words
from .hard_texts import HARD, TEXTS, Ours


def _moses(text: str) -> list[str]:
    return " ".join(nltk_words(text)).replace(" n't ", "n 't ").split()


ORIGINAL: dict[Split, Callable[[str], list[str]]] = {
    "whitespace": str.split,
    "words": lambda text: re.findall(r"\w+|[^\w\s]+", text),
    "words_and_marks": lambda text: re.findall(r"\w+|[^\w\s]", text),
    "nltk": nltk_words,
    "nltk_moses": _moses,
}
UNKNOWN, BEFORE, AFTER = "<unk>", "<s>", "</s>"


def _vocabulary(split: Split, lowercase: bool) -> dict[str, int]:
    """Half of the words in hard text, so that the other half is unknown, with gaps between their rows."""
    words = {word for text in HARD for word in ORIGINAL[split](text.lower() if lowercase else text)}
    kept = sorted(words)[::2]
    return {word: 3 * row for row, word in enumerate(dict.fromkeys([UNKNOWN, BEFORE, AFTER, "a", "the", "n't", *kept]))}


@pytest.fixture(scope="module", params=[*ORIGINAL])
def split(request: pytest.FixtureRequest) -> Split:
    chosen: Split = request.param
    return chosen


class _Case:
    def __init__(self, split: Split, *, lowercase: bool, dropping: bool) -> None:
        self.words = _vocabulary(split, lowercase)
        rules = WordRules(split, lowercase, None if dropping else UNKNOWN, (BEFORE,), (AFTER,))
        self.ours = Ours(tokenise_words(self.words, rules, rows=3 * len(self.words)))
        self._split, self._lowercase, self._dropping = ORIGINAL[split], lowercase, dropping

    def original(self, text: str) -> list[int]:
        found = [BEFORE, *self._split(text.lower() if self._lowercase else text), AFTER]
        if self._dropping:
            return [self.words[word] for word in found if word in self.words]
        return [self.words.get(word, self.words[UNKNOWN]) for word in found]


@pytest.fixture(scope="module", params=[(False, False), (True, True)], ids=str)
def case(request: pytest.FixtureRequest, split: Split) -> _Case:
    return _Case(split, lowercase=request.param[0], dropping=request.param[1])


def test_hard_text_gives_the_rows_of_the_original(case: _Case) -> None:
    for text in HARD:
        assert case.ours.rows(text) == case.original(text), repr(text)


@settings(max_examples=100)
@given(text=TEXTS)
def test_any_text_gives_the_rows_of_the_original(case: _Case, text: str) -> None:
    assert case.ours.rows(text) == case.original(text)


@pytest.mark.parametrize("unknown", [None, "cat"])
def test_places_are_those_in_the_text_itself(unknown: str | None) -> None:
    """The page shows them: an unknown word, wide characters and lower-casing may not shift them."""
    text = "  A 日本 xyz CAT\u00a0é."
    words = {"a": 0, "日本": 1, "cat": 2, "é": 3, ".": 4}
    ours = Ours(tokenise_words(words, WordRules("words", True, unknown), rows=5))
    shown = [text[start:stop] for start, stop in ours.pieces(text).places]
    assert shown == ["A", "日本", *([] if unknown is None else ["xyz"]), "CAT", "é", "."]


def test_words_that_look_like_marks_are_only_themselves() -> None:
    """A dropped word is taken apart into characters inside the library: none of them may be found as a word."""
    words = {word: row for row, word in enumerate(["▁", "▁a", "a", "#", "##a", "Ġa", "é", "日", "<0x41>", "</w>"])}
    ours = Ours(tokenise_words(words, WordRules("whitespace", False, None), rows=len(words)))
    for word, row in words.items():
        assert ours.rows(word) == [row]
        assert ours.rows(f"{word}z z{word} {word}{word}") == []
    assert ours.rows("▁ zz ▁a a▁ aa # ## 日日 日") == [0, 1, 3, 7]


def _large(size: int) -> tuple[dict[str, int], list[str]]:
    """A vocabulary of `size` words, and 500 texts of 15 words of which more than half are in it."""
    draw = random.Random(0)  # noqa: S311  words to look up
    words = {f"w{number:x}é▁": number for number in range(size)}
    known = [f"w{draw.randrange(size * 6 // 5):x}é▁" for _ in range(15 * 500)]
    texts = [" ".join(draw.choice(["zz", word]) for word in known[start::500]) for start in range(500)]
    return words, texts


def test_a_large_vocabulary_drops_only_what_it_lacks() -> None:
    """A word is found whole among 20,000, and another one vanishes."""
    words, texts = _large(20_000)
    ours = Ours(tokenise_words(words, WordRules("whitespace", False, None), rows=len(words)))
    for text in texts:
        assert ours.rows(text) == [words[word] for word in text.split() if word in words]


def test_a_sentence_goes_without_the_ends_that_the_vocabulary_lacks() -> None:
    """A mark that the vocabulary lacks is dropped, as InferSent drops `<s>`, and a note says so."""
    tokenising = tokenise_words({"a": 0, "</s>": 1}, WordRules("nltk", False, None, ("<s>",), ("</s>",)), rows=2)
    assert Ours(tokenising).rows("a b") == [0, 1]
    assert any("'<s>'" in note for note in tokenising.notes)


@pytest.mark.parametrize(
    ("words", "rules", "message"),
    [
        ({}, WordRules("words", False, None), "vocabulary is empty"),
        ({"": 0}, WordRules("words", False, None), "vocabulary is empty"),
        ({"a": 3}, WordRules("words", False, None), "'a' has row 3, the table rows 0 to 2"),
        ({"a": -1}, WordRules("words", False, None), "'a' row -1"),
        ({"a": 0}, WordRules("words", False, "b"), "'b', which is no word of the vocabulary"),
        ({"a": 0}, WordRules("words", False, "a", ("<s>",)), "'<s>' is set around each sentence"),
        ({"a": 0}, WordRules("words", False, "a", (), ("\x1b[2J",)), "'\ufffd[2J' is set around"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(words: dict[str, int], rules: WordRules, message: str) -> None:
    with pytest.raises(TokenisingError) as refused:
        tokenise_words(words, rules, rows=3)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
