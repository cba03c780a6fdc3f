"""Sentences in other words, for choosing only."""

import random

import pytest

from bothends_training.make_triples import (
    exchange_names,
    found_triples,
    misspelt_triples,
)
from bothends_training.rephrase import rephrase


def test_words_are_exchanged_and_names_kept() -> None:
    """A synonym takes the word's place and its capital, articles agree, and a name is no word."""
    assert rephrase("It's a car.", random.Random(1))[0] == "It is an automobile."  # noqa: S311
    assert rephrase("Movies by Big Ten", random.Random(1)) == ("Films by Big Ten", 1)  # noqa: S311
    assert rephrase("Birds sing.", random.Random(1)) == ("Birds sing.", 0)  # noqa: S311


@pytest.mark.parametrize(
    ("sentence", "same"),
    [
        ("How much is a 1919 dime worth ?", "What is a 1919 dime worth ?"),
        ("60 degrees is how many here ?", "60 degrees is what number of here ?"),
        ("It's been a while.", "It's been a while."),
        ("You don't have to say it.", "You do not have to say it."),
        ("It is due to be closed.", "It is due to be closed."),
        ("She is smart enough.", "She is clever enough."),
        ("Pac-man for a while", "Pac-man for a while"),
        ("Can you please come?", "Could you please come?"),
        ("How can you make it?", "How can you make it?"),
        ("isn't it late", "isn't it late"),
        ("It is based on a true story.", "It is based on a true story."),
    ],
)
def test_what_is_meant_stays(sentence: str, same: str) -> None:
    """Words that mean something else together, or where English wants them, are left; one change undoes no other."""
    assert rephrase(sentence, random.Random(1))[0] == same  # noqa: S311


def test_triples_of_a_kind_differ_by_it() -> None:
    """Only sentences that allow it make a triple, and the altered one is neither the sentence nor its paraphrase."""
    said = ["Tom bought a car in 1969.", "Birds sing.", "Mary often helps Tom."]
    for sentence, same, other in found_triples("numbers", said):
        assert sentence == said[0]
        assert "1969" in same
        assert "1969" not in other
    assert exchange_names(said[2], random.Random(1)) == "Tom often helps Mary."  # noqa: S311
    for sentence, spelt, other in misspelt_triples(said, {"bought"}):
        assert len({sentence, spelt, other}) == 3


def test_no_misspelt_word_is_another_word() -> None:
    """What a slip makes another word of doesn't say the same."""
    said = [f"Tom saw {count} timers in Paris." for count in range(10, 60)]
    known = {"tiers", "times", "timer", "saw"}
    for _, spelt, _ in misspelt_triples(said, known):
        assert not {word.strip(".") for word in spelt.split()} & (known - {"saw"})
