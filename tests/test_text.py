"""Texts that have no UTF-8 are told from those that have; paths stand in commands as a shell reads them."""

import pytest

from bothends.text import shell_word, unicode_problem


@pytest.mark.parametrize("text", ["", "dragons", "Ünïcödé", "漢字 🐉", "\x00", "\U0010ffff", "\ufffe"])
def test_what_utf_8_can_hold_is_no_problem(text: str) -> None:
    assert unicode_problem(text) is None
    assert text.encode().decode() == text


@pytest.mark.parametrize(("text", "place"), [("\ud83d", 0), ("a \ude00 b", 2), ("\ud83d\ude00", 0)])
def test_half_a_surrogate_pair_is_named_by_its_place(text: str, place: int) -> None:
    """Two halves that stand side by side in a Python string are no character either."""
    assert unicode_problem(text) == f"is no valid Unicode: surrogates not allowed at character {place}"


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("models/new", "models/new"),
        ("my models/new", "'my models/new'"),
        ("a;b", "'a;b'"),
        ("a\nb", "'a\N{REPLACEMENT CHARACTER}b'"),
        ("x" * 1000, "x" * 1000),
    ],
    ids=["plain", "a space", "a semicolon", "a line's end", "long"],
)
def test_a_path_in_a_command_is_one_word_of_a_shell(path: str, word: str) -> None:
    assert shell_word(path) == word
