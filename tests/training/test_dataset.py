"""What the steps of a recipe read: its corpus, its teachers' vectors and its dev files."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.progress import Progress

from bothends_training.augment import augment
from bothends_training.dataset import Dataset, groups, prepare
from bothends_training.errors import RecipeError
from bothends_training.evaluate import PairsError
from bothends_training.recipe import Corpus, Recipe, Start
from bothends_training.student import initial_token_embeddings
from bothends_training.targets import Targets
from bothends_training.teacher import Teacher
from tests.support import toy


def prepared(recipe: Recipe, folder: Path) -> Dataset:
    return prepare(recipe, folder, folder / "cache", Progress())


def corpus(**changes: object) -> dict[str, object]:
    """The toy recipe's [corpus] with changes."""
    return {**toy.recipe().corpus.model_dump(), **changes}


def test_each_teacher_gives_its_own_targets(folder: Path) -> None:
    """Every teacher's unit vectors of a batch's sentences, in the recipe's order."""
    toy.write_onnx_teacher(folder / "owl.onnx", seed=1)
    recipe = toy.recipe(teachers=[toy.teacher("parrot.onnx"), toy.teacher("owl.onnx")])
    dataset, rows = prepared(recipe, folder), np.array([5, 0, 299])
    sentences = [dataset.corpus.sentences[row] for row in rows]
    for spec, found in zip(recipe.teachers, Targets(dataset, torch.device("cpu")).of(rows), strict=True):
        assert found is not None
        assert found.dtype == torch.float32
        np.testing.assert_allclose(found, Teacher(spec, folder, folder).embed(sentences), atol=1e-3)


def test_a_teacher_may_embed_the_first_sentences_only(folder: Path) -> None:
    """A teacher's targets are absent where a batch holds a sentence that it lacks; sentences of a kind have the same
    teachers.
    """
    some = toy.teacher().model_copy(update={"sentences": 120})
    dataset = prepared(toy.recipe(teachers=[some, toy.teacher()]), folder)
    assert [len(vectors) for vectors in dataset.vectors] == [120, 300]
    assert dataset.coverage.tolist() == [0b11] * 120 + [0b10] * 180
    for rows, absent in (([0, 119], False), ([119, 120], True), ([120, 299], True)):
        few, whole = Targets(dataset, torch.device("cpu")).of(np.array(rows))
        assert (few is None) == absent
        assert whole is not None
        assert whole.shape == (2, toy.DIMENSION)


def test_scrambled_copies_are_labelled_by_the_teacher(folder: Path) -> None:
    """Copies are labelled as sentences of their own, each behind its original: never with the original's vector."""
    careful = toy.teacher(max_tokens=5)  # it reads three words, and so feels their order
    recipe = toy.recipe(corpus=corpus(scrambled=0.5), teachers=[careful])
    dataset = prepared(recipe, folder)
    made = dataset.corpus.sentences
    assert made == [member for group in augment(toy.sentences(300), recipe.corpus) for member in group]
    np.testing.assert_allclose(dataset.vectors[0][:], Teacher(careful, folder, folder).embed(made), atol=1e-3)
    copies = [
        number for number in range(1, len(made)) if Counter(made[number].split()) == Counter(made[number - 1].split())
    ]
    assert len(copies) > 100
    moved = np.abs(dataset.vectors[0][np.array(copies)] - dataset.vectors[0][np.array(copies) - 1]).max(axis=1) > 0.01
    assert moved.mean() > 0.3  # of the others only the fourth word and those after it changed


@pytest.mark.parametrize("threshold", [None, 0.5, 0.8, 1.0])
def test_near_matches_of_dev_sentences_are_not_learned_from(folder: Path, threshold: float | None) -> None:
    """Near duplicates of both sides of the pairs go; with no threshold every sentence is read."""
    dev = [set(sentence.split()) for seed in (1, 2) for sentence in toy.sentences(40, seed=seed)]

    def is_near(sentence: str) -> bool:
        held = set(sentence.split())
        return threshold is not None and any(len(held & one) >= threshold * len(held | one) for one in dev)

    everything = toy.sentences(300)
    kept = [sentence for sentence in everything if not is_near(sentence)]
    assert (len(kept) < len(everything)) == (threshold is not None)
    assert prepared(toy.recipe(corpus=corpus(near_match=threshold)), folder).corpus.sentences == kept


def test_copies_near_dev_sentences_are_not_learned_from_either(folder: Path) -> None:
    """A made or altered sentence may say what a dev sentence says: it goes, and its group stays."""
    plan = Corpus.model_validate(corpus(near_match=0.6, scrambled=0.5, varied=0.5, scenes=0.3))
    everything = [member for group in groups(plan, folder, [])[0] for member in group]
    held_out = everything[1:100:7]
    assert "A " in " ".join(held_out), "made sentences are among them"
    left = [member for group in groups(plan, folder, held_out)[0] for member in group]
    assert 0 < len(left) < len(everything)
    for words in (set(text.lower().split()) for text in left):
        for others in (set(text.lower().split()) for text in held_out):
            assert len(words & others) < 0.6 * len(words | others)


def test_sentences_may_follow_that_have_no_copies(folder: Path) -> None:
    """The first `copied` sentences have the copies that they'd have alone, and those after them none."""
    kinds = {"scrambled": 0.5, "varied": 0.5, "scenes": 0.3, "misspelt": 0.5}
    alone, alone_labels = groups(Corpus.model_validate(corpus(sentences=40, **kinds)), folder, [])
    found, labels = groups(Corpus.model_validate(corpus(copied=40, **kinds)), folder, [])
    everything = toy.sentences(300)
    assert found == alone + [[sentence] for sentence in everything[40:]]
    assert labels == alone_labels
    assert len(labels) > 5
    none, unlabelled = groups(Corpus.model_validate(corpus(copied=0, **kinds)), folder, [])
    assert (none, unlabelled) == ([[sentence] for sentence in everything], {})


def test_what_can_be_refused_is_refused_before_the_teachers_begin(tmp_path: Path) -> None:
    """Teachers may take hours: a missing dev file and a sentence that can't be read are refused first."""
    folder = toy.write(tmp_path / "toy").parent
    (folder / "dev.tsv").write_text("1\ta cat\t\u200b\n2\ta dog\ta bird\n")
    with pytest.raises(RecipeError, match=r"dev\.tsv:1: a sentence holds nothing"):
        prepared(toy.recipe(), folder)
    (folder / "dev.tsv").unlink()
    with pytest.raises(PairsError, match=r"dev\.tsv can't be read"):
        prepared(toy.recipe(), folder)
    assert not (folder / "cache").exists()


def test_a_misspelt_copy_is_taught_as_its_sentence(folder: Path) -> None:
    """The copy stands at the end of its sentence's group, and its vectors are the sentence's own."""
    dataset = prepared(toy.recipe(corpus=corpus(misspelt=0.5)), folder)
    found = dataset.corpus
    copies = [n for n, (text, label) in enumerate(zip(found.sentences, found.labels, strict=True)) if text != label]
    assert 60 < len(copies) < 200
    for number in copies:
        assert found.groups[number] == found.groups[number - 1]
        assert found.labels[number] == found.sentences[number - 1]
        assert len(found.sentences[number].split()) == len(found.labels[number].split())
    np.testing.assert_array_equal(dataset.vectors[0][np.array(copies)], dataset.vectors[0][np.array(copies) - 1])


def test_a_teacher_of_families_alone_embeds_those(folder: Path) -> None:
    """It has vectors of texts that have copies, and zeros beside them for others; it decides nothing about batches,
    neighbourhoods or first words.
    """
    copied = corpus(scrambled=0.3)
    alone = toy.teacher(max_tokens=5).model_copy(update={"name": "alone", "families": "only", "centred": True})
    dataset = prepared(toy.recipe(corpus=copied, teachers=[alone, toy.teacher()]), folder)
    without = prepared(toy.recipe(corpus=copied), folder)
    members = np.bincount(dataset.corpus.groups)[dataset.corpus.groups]
    assert 0 < (members == 1).sum() < len(members)
    assert np.array_equal(dataset.places[0] >= 0, members > 1)
    assert len(dataset.vectors[0]) == (members > 1).sum()
    assert len(set(dataset.coverage.tolist())) == 1
    everywhere = replace(dataset, places=np.maximum(dataset.places, 0))  # as where all texts have copies
    one, other = (found.neighbourhoods(4, seed=0) for found in (everywhere, without))
    assert one is not None
    assert other is not None
    assert np.array_equal(one.numbers, other.numbers)
    rows = np.arange(40)
    few, whole = Targets(dataset, torch.device("cpu")).of(rows)
    assert few is not None
    assert whole is not None
    assert np.array_equal(few.any(1).numpy(), members[:40] > 1)
    texts = [text for text, count in zip(dataset.corpus.sentences, members, strict=True) if count > 1]
    unit = Teacher(alone, folder, folder).embed(texts)
    np.testing.assert_allclose(few[few.any(1)], (unit - unit.mean(0))[: int(few.any(1).sum())], atol=1e-3)
    nothing, _ = Targets(dataset, torch.device("cpu")).of(np.flatnonzero(members == 1)[:5])
    assert nothing is None
    first, second = (
        initial_token_embeddings(toy.recipe(corpus=copied, teachers=teachers), folder, folder, found)
        for teachers, found in (([alone, toy.teacher()], dataset), ([toy.teacher()], without))
    )
    assert np.array_equal(first, second)


def test_tokens_have_as_many_numbers_as_the_teachers_words_give_them(folder: Path) -> None:
    """They are a student's first ones, unless it begins with another's; one teacher alone may prepare its part."""
    wide = toy.recipe().student.model_copy(update={"embedding_size": 1000})
    plan = toy.recipe().model_copy(update={"student": wide})
    with pytest.raises(RecipeError, match="embedding_size 1000 exceeds the"):
        prepared(plan, folder)
    grown = plan.model_copy(update={"start": [Start(path="anywhere")]})
    assert len(prepared(grown, folder).corpus.sentences) == 300
    alone = prepare(plan, folder, folder / "cache", Progress(), only=[toy.teacher().name])
    assert len(alone.vectors) == 1
