"""Documents: their file, the texts that each becomes, and how they stand in a run beside sentences."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.progress import Progress

from bothends_training import train
from bothends_training.dataset import Dataset, prepare
from bothends_training.decontaminate import NearDuplicates
from bothends_training.documents import read_documents
from bothends_training.gather.passages import sentences
from bothends_training.recipe import Documents, Recipe
from bothends_training.targets import Targets
from bothends_training.teacher import Teacher
from tests.support import toy

from .runs import run


@pytest.fixture
def documented(tmp_path: Path) -> Path:
    """A toy folder with a file of forty documents of four sentences each, capitals and marks as in a text."""
    toy.write(tmp_path)
    said = [f"{sentence.capitalize()} dog." for sentence in toy.sentences(160, seed=5)]
    lines = [f"toy\tthe {n} boat\t{' '.join(said[4 * n : 4 * n + 4])}\n" for n in range(40)]
    (tmp_path / "documents.tsv").write_text("".join(lines), encoding="utf-8")
    return tmp_path


def recipe(**changes: Any) -> Recipe:
    """A toy recipe with documents, of which the second of two teachers embeds ten."""
    few = toy.teacher().model_copy(update={"name": "few", "documents": 10, "families": False})
    plan = {
        "teachers": [toy.teacher(), few],
        "documents": {"path": "documents.tsv", "count": 30, "sentences": 2},
        "batches": {"size": 16, "bucket": 2, "documents": 0.25},
    }
    return toy.recipe(**{**plan, **changes})


def prepared(plan: Recipe, folder: Path) -> Dataset:
    return prepare(plan, folder, folder / "cache", Progress())


def test_a_document_becomes_passage_title_and_sentences(documented: Path) -> None:
    """The passage comes first, and its sentences are some of its own; as many documents as the recipe asks for."""
    found = read_documents(Documents(path="documents.tsv", count=30, sentences=2), documented, None)
    assert len(found) == 30
    for number, (passage, title, *own) in enumerate(found):
        assert title == f"the {number} boat"
        assert len(own) <= 2
        assert all(sentence in passage and sentence != passage for sentence in own)
    assert sum(len(texts) == 4 for texts in found) > 20


def test_what_is_held_out_is_in_no_document(documented: Path) -> None:
    """A title like a held-out one goes alone; with a passage like one goes its document."""
    plan = Documents(path="documents.tsv", count=40, sentences=0)
    everything = read_documents(plan, documented, None)
    near = NearDuplicates([everything[3][0], everything[5][1]], 1.0)
    kept = read_documents(plan, documented, near)
    assert everything[3] not in kept
    assert [everything[5][0]] in kept
    assert len(kept) == 39


def test_a_passage_that_holds_a_held_out_sentence_is_passed_by(documented: Path) -> None:
    """A sentence of it would be learnt with it, however unlike it the passage is as a whole."""
    plan = Documents(path="documents.tsv", count=40, sentences=1)
    everything = read_documents(plan, documented, None)
    held_out = sentences(everything[7][0])[2]
    kept = read_documents(plan, documented, NearDuplicates([held_out], 1.0))
    assert not any(held_out in texts[0] for texts in kept)
    assert 0 < len(kept) < 40


def test_teachers_embed_the_documents_that_they_are_asked_for(documented: Path) -> None:
    """All texts of the first ten documents have both teachers, of the others one; no batch mixes them, or documents
    with sentences.
    """
    dataset = prepared(recipe(), documented)
    corpus = dataset.corpus
    first = corpus.documents
    assert first == 300
    few = dataset.places[1] >= 0
    assert few[:first].all()
    assert few[first:].sum() == np.count_nonzero(corpus.groups[first:] < corpus.groups[first] + 10)
    assert set(dataset.coverage) == {0b011, 0b111, 0b101}
    rows = np.flatnonzero(~few)[:4]
    whole, absent = Targets(dataset, torch.device("cpu")).of(rows)
    assert absent is None
    assert whole is not None
    texts = [corpus.sentences[row] for row in rows]
    np.testing.assert_allclose(whole, Teacher(toy.teacher(), documented, documented).embed(texts), atol=1e-3)


def test_a_share_of_the_steps_is_of_documents(documented: Path) -> None:
    """Every fourth batch is of documents, of all lengths; the others hold none."""
    plan = recipe()
    dataset = prepared(plan, documented)
    order = train.order(plan, dataset)
    found = [next(order) for _ in range(12)]
    is_document = [set((rows >= dataset.corpus.documents).tolist()) for rows in found]
    assert is_document == [{False}, {False}, {False}, {True}] * 3
    lengths = dataset.corpus.lengths[found[3]]
    assert lengths.max() > 3 * lengths.min()
    alone = train.order(recipe(batches={"size": 16, "bucket": 2, "documents": 1}), dataset)
    assert all((next(alone) >= dataset.corpus.documents).all() for _ in range(8))


def test_search_and_triples_are_scored_while_it_trains(documented: Path) -> None:
    """The history has a score of each collection and kind, and nothing of them is learnt from."""
    said = toy.sentences(300)
    (documented / "shelf").mkdir()
    for name, lines in {
        "documents": [f"{n}\t{said[n]}" for n in range(20)],
        "queries": ["1\tthe dog"],
        "relevant": ["1\t3"],
    }.items():
        (documented / "shelf" / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    (documented / "triples.tsv").write_text("roles\tthe man sees a dog\ta dog the man sees\ta dog sees the man\n")
    corpus = {**toy.recipe().corpus.model_dump(), "near_match": 1.0}
    plan = recipe(retrieval=["shelf"], triples=["triples.tsv"], corpus=corpus)
    history = run(plan, documented, documented / "out")
    assert set(history[-1]) == {"step", "loss", "dev", "shelf", "roles"}
    assert 0 <= history[-1]["shelf"] <= 100
    assert history[-1]["roles"] in {0, 100}
    read = prepared(plan, documented).corpus.sentences
    assert not {sentence for sentence in said[:20] if sentence in read}
