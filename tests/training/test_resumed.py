"""A run that was stopped, or has ended: it goes on to the same bits, or is left as it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bothends_export import checkpoint
from bothends_training import train
from bothends_training.errors import RecipeError
from bothends_training.recipe import Recipe
from bothends_training.train import STATE
from tests.support import toy

from .runs import EVERYTHING, Kill, assert_same, kill_in_save, kill_in_step, run, state


@pytest.mark.parametrize(
    ("kill", "number", "left_at"),
    [
        pytest.param(kill_in_step, 3, None, id="before the first save"),
        pytest.param(kill_in_step, 6, 6, id="right after a save"),
        pytest.param(kill_in_step, 11, 6, id="between two saves"),
        pytest.param(kill_in_save, 1, 6, id="in a later save"),
    ],
)
def test_a_killed_run_ends_as_an_uninterrupted_one(
    folder: Path,
    uninterrupted: Path,
    tmp_path: Path,
    kill: Callable[[int, pytest.MonkeyPatch], None],
    number: int,
    left_at: int | None,
) -> None:
    """The same command goes on from the last save wherever the run stopped, to the same bits, dropout and all."""
    recipe = toy.recipe()
    assert recipe.optimisation.token_dropout > 0
    with pytest.MonkeyPatch.context() as monkeypatch:
        kill(number, monkeypatch)
        with pytest.raises(Kill):
            run(recipe, folder, tmp_path)
    assert (state(tmp_path)["step"] if (tmp_path / STATE).exists() else None) == left_at
    run(recipe, folder, tmp_path)
    assert_same(state(tmp_path), state(uninterrupted))
    assert (tmp_path / checkpoint.WEIGHTS).read_bytes() == (uninterrupted / checkpoint.WEIGHTS).read_bytes()


@pytest.fixture(scope="module", params=[[], {"path": "before"}], ids=["anew", "from another encoder"])
def of_every_option(
    request: pytest.FixtureRequest, folder: Path, uninterrupted: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Recipe, Path]:
    """A recipe of every option, and the checkpoint of its run that nothing disturbed."""
    recipe, out = toy.recipe(**EVERYTHING, start=request.param), tmp_path_factory.mktemp("every_option")
    run(recipe, folder, out)
    return recipe, out


def test_a_killed_run_of_every_option_ends_as_an_uninterrupted_one(
    folder: Path, of_every_option: tuple[Recipe, Path], tmp_path: Path
) -> None:
    """Average, neighbourhoods, coverage, all losses, another encoder's weights: nothing is forgotten."""
    recipe, undisturbed = of_every_option
    with pytest.MonkeyPatch.context() as monkeypatch:
        kill_in_step(11, monkeypatch)
        with pytest.raises(Kill):
            run(recipe, folder, tmp_path)
    run(recipe, folder, tmp_path)
    assert_same(state(tmp_path), state(undisturbed))
    assert (tmp_path / checkpoint.WEIGHTS).read_bytes() == (undisturbed / checkpoint.WEIGHTS).read_bytes()


def test_a_finished_run_is_left_as_it_is(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command again takes no step, writes nothing, and returns the same history."""
    history = run(toy.recipe(), folder, tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    kill_in_step(toy.recipe().optimisation.steps, monkeypatch)
    assert run(toy.recipe(), folder, tmp_path) == history
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_the_run_of_another_recipe_is_not_overwritten(folder: Path, tmp_path: Path) -> None:
    """A changed recipe, be it by one number, neither goes on from nor replaces what lies there."""
    run(toy.recipe(), folder, tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(RecipeError, match="holds a run of another recipe; choose another --out") as refused:
        run(toy.recipe(learning_rate=3e-2), folder, tmp_path)
    assert str(tmp_path) in str(refused.value)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_other_sentences_under_the_same_recipe_are_refused(tmp_path: Path) -> None:
    """A run goes on only with the sentences that it began with."""
    folder = toy.write(tmp_path / "toy").parent
    run(toy.recipe(), folder, tmp_path)
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(corpus.read_text().splitlines()[::-1]))
    with pytest.raises(RecipeError, match="holds a run on other sentences"):
        run(toy.recipe(), folder, tmp_path)


def test_a_resumed_run_asks_no_teacher_for_the_vocabulary(
    folder: Path, uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resumed run doesn't compute again what the saved state replaces; with large teachers that takes minutes."""
    with pytest.MonkeyPatch.context() as killing:
        kill_in_step(11, killing)
        with pytest.raises(Kill):
            run(toy.recipe(), folder, tmp_path)

    def begin(*_: Any) -> None:
        pytest.fail("a resumed run began anew")

    monkeypatch.setattr(train, "begin", begin)
    run(toy.recipe(), folder, tmp_path)
    assert_same(state(tmp_path), state(uninterrupted))
