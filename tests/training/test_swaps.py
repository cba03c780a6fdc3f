"""Copies that state something else by one word, and misspelt ones."""

import random
from collections.abc import Callable

import pytest

from bothends_training.names import NAMES, OPPOSITES
from bothends_training.swaps import change_figure, change_name, introduce, misspell, negate, oppose


def every(alter: Callable[[str, random.Random], str], sentence: str) -> set[str]:
    """What a hundred draws make of the sentence."""
    return {alter(sentence, random.Random(seed)) for seed in range(100)}  # noqa: S311  tests need no secrets


def test_a_figure_keeps_its_form() -> None:
    """Digits change, marks and a year's century stay; times of day and versions are left alone."""
    made = every(change_figure, "It cost 3.50 dollars in 1969 at 10:15 in v2-beta.")
    assert len(made) > 20
    for sentence in made:
        assert sentence.endswith("at 10:15 in v2-beta.")
        cost, year = sentence.split()[2], sentence.split()[5]
        assert (cost == "3.50") != (year == "1969")
        assert len(cost) == 4
        assert cost[1] == "."
        assert year[:2] == "19"


def test_a_name_becomes_another_of_its_kind() -> None:
    """People become people and places places; a word that only looks like a name elsewhere stays."""
    for sentence in every(change_name, "Tom may fly to Paris."):
        who, _, _, _, where = sentence.rstrip(".").split()
        assert (who == "Tom") != (where == "Paris")
        assert who in NAMES["man"]
        assert where in NAMES["city"]


def test_a_word_becomes_its_opposite() -> None:
    """The capital stays, and a word may have several opposites."""
    assert every(oppose, "Prices rose quickly.") == {"Prices fell quickly.", "Prices rose slowly."}
    assert every(oppose, "Old bread") == {"New bread", "Young bread"}
    assert all(one in OPPOSITES[other] for one, others in OPPOSITES.items() for other in others)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("He will not go.", {"He will go."}),
        ("You can't win two", {"You can win two"}),
        ("two dogs won't bark", {"two dogs will bark"}),
        ("It is raining", {"It is not raining", "It isn't raining"}),
        ("They will win", {"They will not win", "They won't win"}),
        ("Birds sing", {"Birds sing"}),
    ],
)
def test_a_statement_is_denied(sentence: str, expected: set[str]) -> None:
    """A "not" comes or goes, and the auxiliary verb keeps its spelling."""
    assert every(negate, sentence) == expected


def test_one_word_is_misspelt() -> None:
    """A letter is dropped, doubled, swapped or replaced by one beside it, in a word of four letters at least."""
    made = every(misspell, "an old house")
    assert {len(sentence) for sentence in made} == {11, 12, 13}
    assert all(sentence.startswith("an old ") and sentence != "an old house" for sentence in made - {"an old house"})
    assert every(misspell, "to be or not") == {"to be or not"}


@pytest.mark.parametrize(
    ("sentence", "end"),
    [
        ("The shop is open.", " the shop is open."),
        ("Tom is here.", " Tom is here."),
        ("I know.", " I know."),
        ("Why is it open?", " why is it open?"),
        ("", " "),
    ],
)
def test_words_in_front_add_nothing(sentence: str, end: str) -> None:
    """All of the sentence stays, with its capital where that may be a name's; a question has words of its own."""
    found = every(introduce, sentence)
    assert len(found) > 5
    assert all(copy.endswith(end) and copy[0].isupper() for copy in found)


def test_questions_and_statements_begin_otherwise() -> None:
    """No beginning is both of a question and of a statement."""
    asked, said = ({copy.split(" is it")[0] for copy in every(introduce, text)} for text in ("Is it on?", "Is it on."))
    assert not asked & said
