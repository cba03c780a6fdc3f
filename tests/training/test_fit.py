"""How well a student fits what it is taught, and what it isn't."""

from pathlib import Path

import numpy as np
import pytest
import torch
from rich.progress import Progress
from torch.nn import functional

from bothends_export import checkpoint
from bothends_training import train
from bothends_training.dataset import prepare
from bothends_training.fit import NEAREST, fit, looked_at, shared, taught
from bothends_training.objective import Objective
from tests.support import toy

from .runs import EVERYTHING, run, state

GROUPS = 40
MEASURES = {"parrot", "relation", "neighbours"}


def test_the_last_groups_are_taught_nothing(folder: Path) -> None:
    """No batch holds one of them, nor a copy of one; all others but rests are read."""
    recipe = toy.recipe(**EVERYTHING, fit=GROUPS)
    dataset = prepare(recipe, folder, folder / "cache", Progress())
    corpus = dataset.corpus
    first, last = (looked_at(recipe, corpus)[name] for name in ("taught", "untaught"))
    assert set(corpus.groups[first]) == set(range(GROUPS))
    assert len(set(corpus.groups[last])) == GROUPS
    assert set(corpus.groups[last]) & set(corpus.groups[: last[0]]) == set()
    assert last[-1] == len(corpus.sentences) - 1
    drawn = train.order(recipe, dataset)
    seen = np.unique(np.concatenate([next(drawn) for _ in range(200)]))
    assert seen[-1] < taught(recipe, corpus) == last[0]
    assert len(seen) > 0.9 * last[0]


def test_each_evaluation_tells_how_well_it_fits(folder: Path, tmp_path: Path) -> None:
    """The history has each teacher's cosine, which is that of the final weights, through the map that learnt."""
    recipe = toy.recipe(fit=GROUPS, steps=60, evaluate_every=30, token_dropout=0.0)
    history = run(recipe, folder, tmp_path)
    names = {f"{texts} {measure}" for texts in ("taught", "untaught") for measure in MEASURES}
    assert [set(entry) for entry in history] == [{"step", "loss", "dev"} | names] * 2
    assert history[1]["taught parrot"] > history[0]["taught parrot"]
    dataset = prepare(recipe, folder, folder / "cache", Progress())
    last = looked_at(recipe, dataset.corpus)["untaught"]
    sentences = [dataset.corpus.sentences[number] for number in last]
    learned = state(tmp_path)
    encoder = checkpoint.load(tmp_path).encoder
    vectors = torch.from_numpy(train.embed(encoder, dataset.tokenizer, sentences))
    mapped = vectors @ learned["objective"]["served.to_teachers.0.weight"].T
    mapped += learned["objective"]["served.to_teachers.0.bias"]
    cosines = functional.cosine_similarity(mapped, torch.from_numpy(dataset.vectors[0][last]))
    assert history[1]["untaught parrot"] == pytest.approx(100 * float(cosines.mean()), abs=0.05)


def test_the_teachers_own_vectors_fit_them(folder: Path) -> None:
    """Cosines of 1, no divergence of rows, and all neighbours; of strangers' vectors few."""
    recipe = toy.recipe(fit=GROUPS)
    dataset = prepare(recipe, folder, folder / "cache", Progress())
    texts = looked_at(recipe, dataset.corpus)["untaught"]
    target = torch.from_numpy(dataset.vectors[0][texts])
    head = Objective(target.shape[1], [target.shape[1]], recipe.loss, weights=[1]).served
    weight, bias = head.to_teachers.parameters()
    weight.data.copy_(torch.eye(target.shape[1]))
    bias.data.zero_()
    assert fit(3 * target, head, [target], recipe) == pytest.approx(
        {"parrot": 100, "relation": 0, "neighbours": 100}, abs=1e-3
    )
    strange = fit(torch.randn_like(target), head, [target], recipe)
    assert strange["parrot"] < 50
    assert strange["neighbours"] < 50
    assert strange["relation"] > 0.1


def test_neighbours_are_the_nearest_others() -> None:
    """Every text's own ten, itself never among them."""
    block = torch.kron(torch.eye(2), torch.ones(NEAREST + 1, NEAREST + 1))
    halved = block.clone()
    halved[0, 1 : 1 + NEAREST // 2] = -1
    assert shared(block, block) == 1
    assert shared(block, halved) == pytest.approx(1 - 0.5 / len(block))


def test_more_than_half_of_the_corpus_is_refused() -> None:
    """What is taught and looked at would be what isn't taught, too."""
    with pytest.raises(ValueError, match="fit: at most half of the corpus's 1000 sentences"):
        toy.recipe(fit=501)
