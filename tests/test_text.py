"""Texts that have no UTF-8 are told from those that have."""

import pytest

from bothends.text import unicode_problem


@pytest.mark.parametrize("text", ["", "dragons", "Ünïcödé", "漢字 🐉", "\x00", "\U0010ffff", "\ufffe"])
def test_what_utf_8_can_hold_is_no_problem(text: str) -> None:
    assert unicode_problem(text) is None
    assert text.encode().decode() == text


@pytest.mark.parametrize(("text", "place"), [("\ud83d", 0), ("a \ude00 b", 2), ("\ud83d\ude00", 0)])
def test_half_a_surrogate_pair_is_named_by_its_place(text: str, place: int) -> None:
    """Two halves that stand side by side in a Python string are no character either."""
    assert unicode_problem(text) == f"is no valid Unicode: surrogates not allowed at character {place}"
