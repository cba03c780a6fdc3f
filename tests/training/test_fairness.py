"""Altered sentences that are English and say something else."""

import pytest

from bothends_training.fairness import FAIR, change


@pytest.mark.parametrize(
    ("kind", "sentence", "other"),
    [
        ("numbers", "He was born in 1969 .", "He was born in 1978 ."),
        ("entities", "Tom flew to Paris.", "Tom flew to Cairo."),
        ("negation", "A man is singing", "A man is not singing"),
        ("negation", "Tom doesn't like fish.", "Tom does like fish."),
        ("antonyms", "a quiet street", "a loud street"),
    ],
)
def test_what_says_something_else_is_fair(kind: str, sentence: str, other: str) -> None:
    """Plain changes pass."""
    assert FAIR[kind](change(sentence, other))


@pytest.mark.parametrize(
    ("kind", "sentence", "other"),
    [
        ("numbers", "I need 1 room.", "I need 4 room."),
        ("numbers", "on 25 March 1945", "on 89 March 1945"),
        ("numbers", "1. Be handsome.", "2. Be handsome."),
        ("entities", "the Sega Saturn market", "the Sega Uranus market"),
        ("entities", "He speaks French.", "He speaks Mexican."),
        ("negation", "It did harm", "It did not harm"),
        ("negation", "whether it opens or not", "whether it opens or"),
        ("negation", "Tom doesn't have any friends.", "Tom does have any friends."),
        ("antonyms", "a two year old child", "a two year new child"),
        ("antonyms", "my hot dogs", "my cold dogs"),
        ("antonyms", "It is known as that", "It is unknown as that"),
    ],
)
def test_what_is_no_english_or_says_the_same_is_not(kind: str, sentence: str, other: str) -> None:
    """Changes that a reader found wrong don't pass."""
    assert not FAIR[kind](change(sentence, other))
