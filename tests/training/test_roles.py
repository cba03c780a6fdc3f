"""Exchanged roles: what the rule finds, what it leaves alone, and what of it reaches the losses."""

import random
from pathlib import Path

import pytest
from rich.progress import Progress

from bothends_training.dataset import prepare
from bothends_training.roles import exchange, family
from tests.support import toy


@pytest.mark.parametrize(
    ("sentence", "exchanged"),
    [
        ("The dog bites the man.", "The man bites the dog."),
        ("A boy is looking at a horse in the field.", "A horse is looking at a boy in the field."),
        ("Tom helped Mary.", "Mary helped Tom."),
        ("A woman kissed Tom.", "Tom kissed a woman."),
        ("Two girls are following three boys.", "Three boys are following two girls."),
        ("Two girls followed a boy.", "A boy followed two girls."),
    ],
)
def test_roles_are_exchanged(sentence: str, exchanged: str) -> None:
    """Who acts and whom it is done to stand in each other's place, with their capitals, and again as before."""
    assert exchange(sentence) == exchanged
    assert exchange(exchanged) == sentence


@pytest.mark.parametrize(
    "sentence",
    [
        "A man and a woman are dancing.",
        "A man with a dog chases the cat.",
        "The man has a dog.",
        "Mary meets Tom.",
        "Two dogs are chasing a cat.",
        "The dog sleeps.",
        "The boy paints a picture of the house.",
        "The teacher helps his pupil.",
        "Yesterday the dog chased the cat.",
        "",
    ],
)
def test_what_the_rule_does_not_find_stays(sentence: str) -> None:
    """What is done together, what agrees with one only, and what the rule can't read are left as they are."""
    assert exchange(sentence) == sentence


def test_a_made_family_has_a_scene_and_its_exchange() -> None:
    """Every family holds a scene, the same in other words, and what the rule makes of it."""
    for number in range(100):
        scene, same, other = family(random.Random(number))  # noqa: S311
        assert exchange(scene) == other
        assert len({scene, same, other}) == 3


def test_texts_with_exchanged_roles_are_marked(tmp_path: Path) -> None:
    """A copy is marked in its group, and no other text is; without the key none is, though it be there."""
    path = toy.write(tmp_path)
    text = "".join(f"toy\tthe dog follows the man and {word}\n" for word in toy.WORDS)
    (tmp_path / "corpus.txt").write_text(text, encoding="utf-8")
    marked = {}
    for share in (0.0, 1.0):
        recipe = toy.recipe(corpus={"path": "corpus.txt", "sentences": 1000, "exchanged": share})
        corpus = prepare(recipe, path.parent, tmp_path / "cache", Progress()).corpus
        marked[share] = [text for text, flag in zip(corpus.sentences, corpus.exchanged, strict=True) if flag]
    assert marked[0.0] == []
    assert sorted(marked[1.0]) == sorted(f"the man follows the dog and {word}" for word in toy.WORDS)
