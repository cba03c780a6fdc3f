"""Held-out pairs: which sentences, in which pairs, scored by whom, and that nothing of them is taught."""

from pathlib import Path

import numpy as np
import pytest
from rich.progress import Progress

from bothends_training.dataset import prepare
from bothends_training.evaluate import read_pairs
from bothends_training.held_out import COPIES, choose, judged, near_and_far
from bothends_training.recipe import HeldOut
from bothends_training.teacher import Teacher
from tests.support import toy

PLAN = HeldOut(sources=("news", "chat"), sentences=60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A toy folder whose corpus has three sources."""
    folder = toy.write(tmp_path).parent
    sources = ["news", "chat", "prose"]
    lines = [f"{sources[number % 3]}\t{text}\n" for number, text in enumerate(toy.sentences(600))]
    (folder / "corpus.txt").write_text("".join(lines), encoding="utf-8")
    return folder


def test_as_many_sentences_as_asked_for_of_each_source(folder: Path) -> None:
    """Sentences stay the same whatever the order of the corpus's lines; a smaller number is of the larger one's."""
    corpus = folder / "corpus.txt"
    found = choose(PLAN, corpus)
    assert {source: len(sentences) for source, sentences in found.items()} == {"news": 60, "chat": 60}
    assert set(found["news"]) < set(toy.sentences(600)[::3])
    corpus.write_text("".join(reversed(corpus.read_text(encoding="utf-8").splitlines(keepends=True))), encoding="utf-8")
    assert choose(PLAN, corpus) == found
    assert choose(PLAN.model_copy(update={"sentences": 20}), corpus)["chat"] == found["chat"][:20]


def test_pairs_go_from_neighbours_to_strangers(folder: Path) -> None:
    """Nearly every sentence is in a pair with another; of the ranks of one for the other each order of magnitude has
    its part.
    """
    judge = Teacher(toy.teacher(), folder, folder / "cache")
    sentences = toy.sentences(600)
    pairs = near_and_far(sentences, judge, folder / "cache")
    assert 400 < len(pairs) <= 600
    assert all(one != other for one, other in pairs)
    assert len({frozenset(pair) for pair in pairs}) == len(pairs)
    vectors = dict(zip(sentences, judge.embed(sentences), strict=True))
    everything = np.stack(list(vectors.values()))
    ranks = [
        min(
            int((everything @ vectors[here] > float(vectors[here] @ vectors[there]) + 1e-3).sum())
            for here, there in (pair, pair[::-1])
        )
        for pair in pairs
    ]
    shares = np.histogram(ranks, bins=[0, 6, 36, 600])[0] / len(pairs)
    assert (shares > 0.15).all()


def test_pairs_are_scored_by_the_judge_and_kept_as_files(folder: Path) -> None:
    """A source's file holds the very pairs that are returned, and a score is the judge's cosine."""
    judge, cache = Teacher(toy.teacher(), folder, folder / "cache"), folder / "cache"
    chosen = {
        source: [f"the {text} two dogs" for text in found]
        for source, found in choose(PLAN, folder / "corpus.txt").items()
    }
    news, chat, copies = judged(chosen, judge, cache)
    assert (news.name, chat.name, copies.name) == ("news", "chat", COPIES)
    for pairs in (news, chat, copies):
        cosines = (judge.embed(pairs.first) * judge.embed(pairs.second)).sum(axis=1)
        np.testing.assert_allclose(pairs.scores, cosines, atol=2e-3)
        (file,) = cache.glob(f"held-out-*/{pairs.name}.tsv")
        assert read_pairs(file) == pairs
    assert {*chat.first, *chat.second} <= set(chosen["chat"])
    assert {*copies.first} <= {*chosen["news"], *chosen["chat"]}
    assert 30 <= len(copies.scores) <= 60


def test_what_is_held_out_is_not_taught(folder: Path) -> None:
    """Sentences and their near duplicates aren't in the corpus, and the student is scored on their pairs."""
    plan = {**toy.recipe().corpus.model_dump(), "near_match": 0.8}
    recipe = toy.recipe(corpus=plan, held_out=PLAN)
    dataset = prepare(recipe, folder, folder / "cache", Progress())
    held = [set(text.split()) for found in choose(PLAN, folder / "corpus.txt").values() for text in found]
    assert [pairs.name for pairs in dataset.dev] == ["dev", "news", "chat", COPIES]
    taught = [set(text.split()) for text in dataset.corpus.sentences]
    assert all(len(one & other) < 0.8 * len(one | other) for one in taught for other in held)
    assert 200 < len(taught) < 480
