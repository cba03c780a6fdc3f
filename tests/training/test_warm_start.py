"""The weights that a student begins with: another encoder's, from a checkpoint or from a bundle."""

import json
from pathlib import Path

import pytest
import torch
from rich.progress import Progress

from bothends_export import checkpoint
from bothends_export.export import export
from bothends_training import student, train
from bothends_training.dataset import prepare
from bothends_training.errors import RecipeError
from tests.support import toy


@pytest.fixture(scope="module", autouse=True)
def exported(folder: Path, uninterrupted: Path) -> None:
    """Write the run's bundle, `bundle`, beside its checkpoint, `before`."""
    export(checkpoint.load(uninterrupted), folder / "bundle")


@pytest.mark.parametrize("path", ["before", "bundle"])
def test_a_student_begins_with_the_weights_of_another(folder: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The student has all the other's weights, from either kind of folder; no teacher is asked for its words."""
    recipe = toy.recipe(start={"path": path}, average_decay=0.9)
    dataset = prepare(recipe, folder, folder / "cache", Progress())
    monkeypatch.setattr(student, "initial_token_embeddings", lambda *_: pytest.fail("a teacher was asked"))
    begun = student.begin(recipe, folder, folder / "cache", dataset, torch.device("cpu"))
    expected = checkpoint.load(folder / "before").encoder.state_dict()
    for name, tensor in begun.encoder.state_dict().items():
        assert torch.equal(tensor, expected[name])


def test_several_starts_are_averaged(folder: Path, tmp_path: Path) -> None:
    """Each weight is the mean of the others' weights, each counted by its start's own."""
    train.train(toy.recipe(seed=8, steps=1), folder, tmp_path / "other", folder / "cache", Progress())
    other = {"path": str(tmp_path / "other"), "weight": 3}
    recipe = toy.recipe(start=[{"path": "before"}, other, {"path": "bundle"}])
    dataset = prepare(recipe, folder, folder / "cache", Progress())
    begun = student.begin(recipe, folder, folder / "cache", dataset, torch.device("cpu"))
    twice, thrice = (checkpoint.load(path).encoder.state_dict() for path in (folder / "before", tmp_path / "other"))
    for name, tensor in begun.encoder.state_dict().items():
        torch.testing.assert_close(tensor, (2 * twice[name] + 3 * thrice[name]) / 5)


def test_without_steps_the_start_itself_is_scored_and_left(folder: Path, tmp_path: Path) -> None:
    """A recipe of no steps makes a checkpoint of what it begins with, once; a moving average of no weights is none."""
    recipe = toy.recipe(start={"path": "before"}, steps=0, average_decay=0.9)
    told = train.train(recipe, folder, tmp_path / "mean", folder / "cache", Progress())
    assert [set(entry) for entry in told] == [{"step", "dev"}]
    assert train.train(recipe, folder, tmp_path / "mean", folder / "cache", Progress()) == told
    made = checkpoint.load(tmp_path / "mean").encoder.state_dict()
    for name, tensor in checkpoint.load(folder / "before").encoder.state_dict().items():
        assert torch.equal(made[name], tensor)


def test_maps_learn_first(folder: Path, tmp_path: Path) -> None:
    """While only maps learn, the encoder keeps its start's weights; then it learns as well."""
    known = checkpoint.load(folder / "before").encoder.state_dict()
    maps = []
    for steps, stays in ((7, True), (8, True), (9, False)):
        out = tmp_path / str(steps)
        recipe = toy.recipe(start={"path": "before"}, maps_first=8, steps=steps, learning_rate=1e-2)
        train.train(recipe, folder, out, folder / "cache", Progress())
        learned = checkpoint.load(out).encoder.state_dict()
        assert all(torch.equal(tensor, known[name]) for name, tensor in learned.items()) == stays
        state = train.saved_state(recipe, out, torch.device("cpu"))
        assert state is not None
        maps.append(state["objective"]["served.to_teachers.0.weight"])
    assert not torch.equal(maps[0], maps[1])


def test_a_share_of_the_start_stays(folder: Path, tmp_path: Path) -> None:
    """Exported weights lie between what was learnt and what it began with, which is kept for a resumed run."""
    plan = {"start": {"path": "before"}, "average_decay": 0.9, "save_every": 1}
    for name, share, steps in (("whole", 0.0, 3), ("shared", 0.25, 3)):
        recipe = toy.recipe(**plan, start_share=share, steps=steps)
        train.train(recipe, folder, tmp_path / name, folder / "cache", Progress())
    state = train.saved_state(recipe, tmp_path / "shared", torch.device("cpu"))
    before, whole, shared = (
        checkpoint.load(path).encoder.state_dict()
        for path in (folder / "before", tmp_path / "whole", tmp_path / "shared")
    )
    for name, tensor in shared.items():
        expected = 0.75 * whole[name] + 0.25 * before[name]
        torch.testing.assert_close(tensor, expected, atol=1e-3 if name == "embedding.weight" else 1e-6, rtol=1e-3)
        assert not torch.equal(whole[name], before[name])
        assert state is not None
        assert torch.equal(state["start"][name], before[name])


def test_a_larger_student_begins_with_what_a_smaller_one_knows(folder: Path) -> None:
    """First units have the other's states, at every length, and the rest none yet."""
    known = checkpoint.load(folder / "before").encoder
    before = known.config.hidden_size
    sizes = {"hidden_size": 11, "embedding_size": 7}
    recipe = toy.recipe(start={"path": "before"}, student={**toy.recipe().student.model_dump(), **sizes})
    dataset = prepare(recipe, folder, folder / "cache", Progress())
    wider = student.begin(recipe, folder, folder / "cache", dataset, torch.device("cpu")).encoder
    ids, lengths = torch.randint(0, known.config.vocabulary_size, (5, 7)), torch.tensor([7, 5, 3, 2, 1])
    with torch.inference_mode():
        old, new = (encoder(ids, lengths).embedding.view(5, 2, -1) for encoder in (known, wider))
    torch.testing.assert_close(new[:, :, :before], old)
    assert not new[:, :, before:].any()


def test_a_mean_with_a_smaller_start_has_what_that_lacks_from_the_larger(folder: Path, tmp_path: Path) -> None:
    """How known units hear new ones is what the larger start learnt; how they hear each other is the mean of both."""
    wide = {**toy.recipe().student.model_dump(), "hidden_size": 11}
    larger = toy.recipe(start={"path": "before"}, student=wide, steps=2, learning_rate=0.1)
    train.train(larger, folder, tmp_path / "wide", folder / "cache", Progress())
    mean = toy.recipe(start=[{"path": str(tmp_path / "wide")}, {"path": "before"}], student=wide, seed=9)
    dataset = prepare(mean, folder, folder / "cache", Progress())
    begun = student.begin(mean, folder, folder / "cache", dataset, torch.device("cpu")).encoder.cells
    small, learnt = (checkpoint.load(path).encoder.cells for path in (folder / "before", tmp_path / "wide"))
    old, new, both = (
        cells.get_parameter("weight_hh_l0_reverse").view(4, -1, units)[:, :8]
        for cells, units in ((small, 8), (learnt, 11), (begun, 11))
    )
    assert not torch.equal(new[..., :8], old)
    torch.testing.assert_close(both[..., :8], (new[..., :8] + old) / 2)
    torch.testing.assert_close(both[..., 8:], new[..., 8:])


def test_other_sizes_are_refused(folder: Path, tmp_path: Path) -> None:
    """A narrower student, or one of shorter token vectors: the message names both sizes."""
    for sizes in ({"hidden_size": 7}, {"hidden_size": 9, "embedding_size": 5}):
        recipe = toy.recipe(start={"path": "before"}, student={**toy.recipe().student.model_dump(), **sizes})
        with pytest.raises(RecipeError, match=r"before has other sizes \(.*hidden_size=8.*hidden_size="):
            train.train(recipe, folder, tmp_path / "out", folder / "cache", Progress())


def test_another_tokenizer_is_refused(folder: Path, tmp_path: Path) -> None:
    """A weight's row is a token's: with another tokenizer it would be another's."""
    other = json.loads(toy.tokenizer())
    other["model"]["vocab"]["dog"], other["model"]["vocab"]["cat"] = (
        other["model"]["vocab"]["cat"],
        other["model"]["vocab"]["dog"],
    )
    (folder / "other.json").write_text(json.dumps(other))
    recipe = toy.recipe(
        start={"path": "before"}, student={**toy.recipe().student.model_dump(), "tokenizer": {"path": "other.json"}}
    )
    with pytest.raises(RecipeError, match="before has another tokenizer"):
        train.train(recipe, folder, tmp_path / "out", folder / "cache", Progress())
