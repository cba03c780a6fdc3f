"""Sentences in other words, for choosing only."""

import random

from bothends_training.make_triples import choose_triples, exchange_names, found_triples, misspelt_triples
from bothends_training.rephrase import asks, introduce, rephrase


def test_words_are_exchanged_and_names_kept() -> None:
    """A synonym takes the word's place and its capital, articles agree, and a name is no word."""
    assert rephrase("It's a car.", random.Random(1))[0] == "It is an automobile."  # noqa: S311
    assert rephrase("Movies by Big Ten", random.Random(1)) == ("Films by Big Ten", 1)  # noqa: S311
    assert rephrase("Birds sing.", random.Random(1)) == ("Birds sing.", 0)  # noqa: S311


def test_what_is_asked_is_introduced_as_a_question() -> None:
    """A name keeps its capital behind the words in front."""
    assert asks("find a bus")
    assert not asks("Tom sings.")
    assert introduce("Tom sings.", random.Random(1)).endswith(" Tom sings.")  # noqa: S311
    assert introduce("The bus is here.", random.Random(1)).endswith(" the bus is here.")  # noqa: S311


def test_triples_of_a_kind_differ_by_it() -> None:
    """Only sentences that allow it make a triple, and the altered one is neither the sentence nor its paraphrase."""
    said = ["Tom bought a car in 1969.", "Birds sing.", "Mary often helps Tom."]
    for sentence, same, other in found_triples("numbers", said):
        assert sentence == said[0]
        assert "1969" in same
        assert "1969" not in other
    assert exchange_names(said[2], random.Random(1)) == "Tom often helps Mary."  # noqa: S311
    for sentence, spelt, other in misspelt_triples(said):
        assert len({sentence, spelt, other}) == 3


def test_few_triples_alter_the_same_words() -> None:
    """Man and woman are not all that antonyms are."""
    many = [(f"a man sings {number}", "x", f"a woman sings {number}") for number in range(40)]
    assert len(choose_triples(iter(many), is_varied=True)) == 14
    assert len(choose_triples(iter(many), is_varied=False)) == 40
