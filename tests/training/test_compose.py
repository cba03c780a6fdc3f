"""Composed copies: who does what to whom, what is how, how many, and whether at all."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bothends_training.compose import (
    change_kind,
    compose,
    deny_existence,
    make_passive,
    move_modifiers,
    pieces,
    swap_roles,
)

Alteration = Callable[[str, random.Random], str]


def found(alter: Alteration, sentence: str) -> set[str]:
    """All that an alteration makes of a sentence, by 100 seeds."""
    return {alter(sentence, random.Random(seed)) for seed in range(100)}  # noqa: S311  tests need no secrets


@pytest.mark.parametrize(
    ("alter", "sentence", "expected"),
    [
        (swap_roles, "A dog follows the old man.", {"The old man follows a dog."}),
        (swap_roles, "In a park the dog is", {"In the dog a park is"}),
        (move_modifiers, "A young man with a dog", {"A man with a young dog"}),
        (move_modifiers, "An old man with a big dog", {"A big man with an old dog"}),
        (make_passive, "A man is slicing an onion", {"An onion is being sliced by a man"}),
        (make_passive, "the boys were not riding two cows", {"two cows were not being ridden by the boys"}),
        (make_passive, "The dog is chasing my cats", {"My cats are being chased by the dog"}),
        (deny_existence, "A young man is singing loudly", {"There is no young man singing loudly"}),
        (deny_existence, "Two dogs are running", {"There are no dogs running"}),
        (change_kind, "A guitar", {"An instrument", *(f"A {word}" for word in ["piano", "violin", "drum", "flute"]),
                                   *(f"A {word}" for word in ["trumpet", "keyboard", "harp", "saxophone", "cello"])}),
    ],
)  # fmt: skip
def test_an_alteration_changes_one_thing(alter: Alteration, sentence: str, expected: set[str]) -> None:
    """The first letter's case, the articles and the verb go with it."""
    assert found(alter, sentence) == expected


@given(st.text(alphabet="a the two dogs cat's, is ing.3Á\u00df²", max_size=60), st.integers())
def test_any_text_can_be_asked_for(sentence: str, seed: int) -> None:
    """Pieces joined are the sentence, and no sentence is refused."""
    assert "".join(pieces(sentence)) == sentence
    assert all(compose(sentence, random.Random(seed), copies=6))  # noqa: S311


def test_copies_are_as_many_as_asked_for_and_alike_for_one_seed() -> None:
    """Each copy is by another alteration, none is the sentence, and the same seed makes the same ones."""
    sentence = "Two young men are following a black dog"
    for copies in (0, 1, 2, 6):
        made = compose(sentence, random.Random(5), copies=copies)  # noqa: S311
        assert len(set(made)) == copies
        assert sentence not in made
        assert made == compose(sentence, random.Random(5), copies=copies)  # noqa: S311
