"""Made scenes: sentences in good order, families that differ by one thing, the same ones every time."""

import random

import pytest

from bothends_training import scenes
from bothends_training.scenes import Noun, Scene, family

MAN = Noun("man", "person", "young")
HORSE = Noun("horse", "mount")
RIDING = Scene(MAN, "ride:riding", HORSE, "in a field")
RESTING = Scene(Noun("cat", "animal", count="two"), "rest:resting", None, "")


def chance(seed: int = 0) -> random.Random:
    return random.Random(seed)  # noqa: S311  tests need no secrets


@pytest.mark.parametrize(
    ("render", "riding", "resting"),
    [
        (scenes.passive, "a horse is being ridden by a young man in a field", "two cats are resting"),
        (scenes.present, "a young man rides a horse in a field", "two cats rest"),
        (scenes.related, "a man who is young is riding a horse in a field", "two cats are resting"),
        (scenes.definite, "the young man is riding a horse in a field", "the cats are resting"),
        (scenes.general, "a young person is riding an animal in a field", "two animals are resting"),
        (scenes.reversed_roles, "a horse is riding a young man in a field", "two cats are resting"),
    ],
)
def test_a_scene_in_other_words(render: scenes.Render, riding: str, resting: str) -> None:
    """Verbs agree and articles fit; what has no patient, or no look, stays plain."""
    assert render(RIDING, chance()) == riding
    assert render(RESTING, chance()) == resting


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (scenes.denied, ["a young man is not riding a horse", "there is no young man riding a horse"]),
        (scenes.other_looks, ["a man is riding a young horse"]),
        (scenes.other_number, [f"{count} young men are riding a horse" for count in ("two", "three", "four", "five")]),
        (scenes.other_verb, [f"a young man is {verb} a horse" for verb in ("painting", "washing", "photographing")]),
    ],
)
def test_a_scene_with_one_thing_changed(change: scenes.Render, expected: list[str]) -> None:
    """Each change comes in all its ways."""
    assert {change(RIDING, chance(seed)) for seed in range(60)} == {f"{sentence} in a field" for sentence in expected}


def test_a_family_is_a_scene_and_what_is_like_it() -> None:
    """Sentences begin with a capital, none comes twice in a family, and most families differ from each other."""
    made = [family(chance(seed)) for seed in range(500)]
    assert made == [family(chance(seed)) for seed in range(500)]
    assert all(2 <= len(set(sentences)) == len(sentences) <= 5 for sentences in made)
    assert all(sentence[0].isupper() and "  " not in sentence for sentences in made for sentence in sentences)
    assert len({sentences[0] for sentences in made}) > 450
