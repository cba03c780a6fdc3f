"""A recipe's corpus, teachers and dev files to what the steps read."""

from pathlib import Path

import pytest
from rich.progress import Progress

from bothends_training.lesson import Lesson, prepare
from bothends_training.recipe import Recipe

from . import toy


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that a toy recipe names."""
    return toy.write(tmp_path_factory.mktemp("toy")).parent


def prepared(recipe: Recipe, folder: Path) -> Lesson:
    return prepare(recipe, folder, folder / "cache", Progress())


def corpus(**changes: object) -> dict[str, object]:
    """The toy recipe's [corpus] with changes."""
    return {**toy.recipe().corpus.model_dump(), **changes}


@pytest.mark.parametrize("threshold", [None, 0.5, 0.8, 1.0])
def test_near_matches_of_dev_sentences_are_not_learned_from(folder: Path, threshold: float | None) -> None:
    """From both sides of the pairs; with no threshold every sentence is read."""
    dev = [set(sentence.split()) for seed in (1, 2) for sentence in toy.sentences(40, seed=seed)]

    def is_near(sentence: str) -> bool:
        held = set(sentence.split())
        return threshold is not None and any(len(held & one) >= threshold * len(held | one) for one in dev)

    everything = toy.sentences(300)
    kept = [sentence for sentence in everything if not is_near(sentence)]
    assert (len(kept) < len(everything)) == (threshold is not None)
    assert prepared(toy.recipe(corpus=corpus(near_match=threshold)), folder).corpus.sentences == kept
