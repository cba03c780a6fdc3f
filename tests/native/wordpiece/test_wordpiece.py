"""The native tokenizer by itself: what it is told, what it declines, and what it cuts."""

from typing import Any

import pytest

wordpiece = pytest.importorskip(
    "bothends_native.wordpiece", reason="bothends-native isn't built (make native)", exc_type=ImportError
)

VOCABULARY = {"?": 0, "a": 1, "ab": 2, "##c": 3, "##cd": 4, ".": 5, "é": 1 << 31}
CHARACTERS = {character: character for character in "abcd "} | {
    "A": "a",
    "\x00": "",
    ".": " . ",
    "é": "é",
}


def made(**others: Any) -> Any:
    told: dict[str, Any] = {"characters": CHARACTERS, "added": [], "prefix": "##", "unknown": "?", "max_chars": 5}
    return wordpiece.WordPiece(VOCABULARY, **told | others)


def ids(text: str, **others: Any) -> list[int] | None:
    (found,) = made(**others).encode([text], 100)
    return found if found is None else found[0]


def test_a_word_is_its_longest_entries_or_unknown() -> None:
    assert ids("ab acd Ac abd b ac\x00d.é") == [2, 1, 4, 1, 3, 0, 0, 1, 4, 5, 1 << 31]
    assert ids("") == ids("  ") == ids("\x00") == []


def test_a_text_is_declined_for_what_it_holds_alone() -> None:
    """An unknown character, near or far; an added token; too many characters."""
    texts = ["a", "x", "a日", "a\U0001f600", "[", "b" * (1 << 16), "b" * (1 << 16) + "b"]
    assert [found is None for found in made().encode(texts, 9)] == [False, True, True, True, True, False, True]
    assert ids("a.a", added=["a.", ""]) is None
    assert ids("aba.", added=["ba.b", "a. ", "日"]) == [0, 5]
    assert ids("ab", added=["ab\x00"]) == [2]  # Python has a zero behind a text, which is no part of it


def test_the_first_or_the_last_are_kept() -> None:
    tokenizer = made()
    assert tokenizer.encode(["a.ab", "a."], 2) == [([1, 5], True), ([1, 5], False)]
    assert tokenizer.encode(["a.ab", "a."], 2, keep_end=True) == [([5, 2], True), ([1, 5], False)]
    assert tokenizer.encode(["a", ""], 0) == [([], True), ([], False)]


def test_half_a_surrogate_pair_is_declined() -> None:
    assert made().encode(["\ud800", "a\udfff"], 9) == [None, None]


@pytest.mark.parametrize(
    ("others", "says"),
    [
        ({"unknown": "none"}, "no token for unknown words"),
        ({"characters": {"ab": "a"}}, "isn't one character"),
        ({"characters": {"a": "a" * 256}}, "too much becomes of a character"),
    ],
)
def test_what_makes_no_tokenizer_is_refused(others: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        made(**others)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="a text is no str"):
        made().encode(["a", b"a"], 9)
