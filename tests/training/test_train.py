"""A recipe to a checkpoint: that the student learns, that runs repeat, and that a kill changes nothing."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.progress import Progress
from scipy.stats import spearmanr
from torch.nn import functional

from bothends.model.tokenizer import Tokenizer
from bothends_export import checkpoint
from bothends_export.encoder import Encoder
from bothends_training import train
from bothends_training.dataset import prepare
from bothends_training.errors import RecipeError
from bothends_training.evaluate import PairsError, read_pairs
from bothends_training.recipe import Recipe
from bothends_training.train import STATE
from tests.support import toy

from .runs import EVERYTHING, Kill, assert_same, kill_in_save, kill_in_step, run, state


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "float32"},
        pytest.param({"precision": "bfloat16"}, marks=pytest.mark.slow),
        pytest.param(EVERYTHING, marks=pytest.mark.slow),
    ],
    ids=["float32", "bfloat16", "everything"],
)
def test_the_student_learns(folder: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    """The loss falls well below that of the same student on the same batches at a learning rate of nothing."""
    plan = {"steps": 120, "evaluate_every": 30, "token_dropout": 0.1, **options}
    taught = run(toy.recipe(**plan), folder, tmp_path / "taught")
    untrained = run(toy.recipe(**plan, learning_rate=1e-12, final_learning_rate=1e-12), folder, tmp_path / "untrained")
    assert [entry["step"] for entry in taught] == [30, 60, 90, 120]
    assert taught[-1]["loss"] < taught[0]["loss"] < untrained[0]["loss"]
    assert taught[-1]["loss"] < 0.6 * untrained[-1]["loss"]


def test_neighbourhoods_become_finer_late(folder: Path) -> None:
    """The batches of a run are those of the wider neighbourhoods up to the step that the recipe says, and from there on
    those of the narrower ones from their beginning.
    """
    wide, fine = ({"size": 16, "neighbourhoods": count, "share": 0.9} for count in (2, 5))
    recipes = [toy.recipe(batches=plan) for plan in (wide, fine, {**wide, "late_neighbourhoods": 5, "late": 0.6})]
    dataset = prepare(recipes[0], folder, folder / "cache", Progress())
    early, late, both = ([rows.tolist() for rows in islice(train.order(recipe, dataset), 20)] for recipe in recipes)
    assert early != late
    assert both == early[:12] + late[:8]


def test_token_vectors_are_dropped_while_it_learns(folder: Path, tmp_path: Path) -> None:
    """The recipe's dropout changes the loss of the very first step, whose student and batch are the same."""
    (without,) = run(toy.recipe(steps=1, token_dropout=0.0), folder, tmp_path / "without")
    (dropped,) = run(toy.recipe(steps=1, token_dropout=0.3), folder, tmp_path / "dropped")
    assert dropped["loss"] != without["loss"]


def test_two_runs_make_the_same_weights(folder: Path, uninterrupted: Path, tmp_path: Path) -> None:
    """The recipe's seed decides everything: weights, optimiser and history agree bit for bit."""
    run(toy.recipe(), folder, tmp_path)
    assert_same(state(tmp_path), state(uninterrupted))
    assert (tmp_path / checkpoint.WEIGHTS).read_bytes() == (uninterrupted / checkpoint.WEIGHTS).read_bytes()


def test_another_seed_makes_other_weights(folder: Path, uninterrupted: Path, tmp_path: Path) -> None:
    """A seed that changed nothing would leave the test before without meaning."""
    run(toy.recipe(seed=8), folder, tmp_path)
    assert not torch.equal(
        state(tmp_path)["encoder"]["lstm.weight_hh_l0"], state(uninterrupted)["encoder"]["lstm.weight_hh_l0"]
    )


@pytest.mark.parametrize(
    ("kill", "number", "left_at"),
    [
        pytest.param(kill_in_step, 3, None, id="before the first save"),
        pytest.param(kill_in_step, 6, 6, id="right after a save"),
        pytest.param(kill_in_step, 11, 6, id="between two saves"),
        pytest.param(kill_in_step, 19, 18, id="before the last step"),
        pytest.param(kill_in_save, 0, None, id="in the first save"),
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


@pytest.mark.parametrize("number", [3, 11, 19])
def test_a_killed_run_of_every_option_ends_as_an_uninterrupted_one(
    folder: Path, of_every_option: tuple[Recipe, Path], tmp_path: Path, number: int
) -> None:
    """Average, neighbourhoods, coverage, all losses, another encoder's weights: nothing is forgotten."""
    recipe, undisturbed = of_every_option
    with pytest.MonkeyPatch.context() as monkeypatch:
        kill_in_step(number, monkeypatch)
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


def test_the_checkpoint_is_one_that_export_reads(folder: Path, uninterrupted: Path) -> None:
    """The checkpoint holds the trained weights, the table rounded to float16, the tokenizer without marks, and the
    run's story.
    """
    loaded = checkpoint.load(uninterrupted)
    assert loaded.table_dtype == torch.float16
    assert (loaded.config.name, loaded.config.version, loaded.config.max_tokens) == ("toy", "1", 256)
    assert loaded.config.encoder.vocabulary_size == len(toy.VOCABULARY)
    trained = state(uninterrupted)
    for name, tensor in loaded.encoder.state_dict().items():
        expected = trained["encoder"][name]
        assert torch.equal(tensor, expected.half().float() if name == "embedding.weight" else expected)
    story = loaded.config.training
    assert (story["step"], story["history"]) == (20, trained["history"])
    assert Recipe.model_validate(story["recipe"]) == toy.recipe()
    tokenizer = Tokenizer(loaded.tokenizer, max_tokens=256, source=uninterrupted)
    (tokens,) = tokenizer.encode(["the old dog sees"])
    assert [toy.VOCABULARY[index] for index in tokens.ids] == ["the", "old", "dog", "sees"]


@pytest.mark.parametrize("table_dtype", ["float32", "float16"])
def test_the_table_is_stored_as_the_recipe_says(folder: Path, tmp_path: Path, table_dtype: str) -> None:
    """The table takes half the size where float16 is asked for, and keeps every bit where float32 is."""
    student = {**toy.recipe().student.model_dump(), "table_dtype": table_dtype}
    run(toy.recipe(student=student, steps=1), folder, tmp_path)
    assert checkpoint.load(tmp_path).table_dtype == getattr(torch, table_dtype)


def test_the_history_holds_the_spearman_of_the_encoder(folder: Path, uninterrupted: Path) -> None:
    """The history has one entry an evaluation; the last score is that of the final weights, sentence by sentence, by
    scipy.
    """
    trained = state(uninterrupted)
    assert [set(entry) for entry in trained["history"]] == [{"step", "loss", "dev"}] * 5
    assert [entry["step"] for entry in trained["history"]] == [4, 8, 12, 16, 20]
    encoder = Encoder(checkpoint.load(uninterrupted).config.encoder).eval()
    encoder.load_state_dict(trained["encoder"])
    pairs = read_pairs(folder / "dev.tsv")

    def embed(sentence: str) -> torch.Tensor:
        ids = torch.tensor([[toy.VOCABULARY.index(word) for word in sentence.split()]])
        embedding: torch.Tensor = encoder(ids, torch.tensor([ids.shape[1]])).embedding[0]
        return embedding

    with torch.inference_mode():
        cosines = [
            float(functional.cosine_similarity(embed(one), embed(other), dim=0))
            for one, other in zip(pairs.first, pairs.second, strict=True)
        ]
    expected = 100 * spearmanr(pairs.scores, cosines).statistic
    assert trained["history"][-1]["dev"] == pytest.approx(expected, abs=0.1)


def test_a_run_without_dev_files_has_a_history_too(folder: Path, tmp_path: Path) -> None:
    """The history holds steps and losses, and an entry at the end even where no evaluation falls on it."""
    history = run(toy.recipe(dev=[], steps=6), folder, tmp_path)
    assert [set(entry) for entry in history] == [{"step", "loss"}] * 2
    assert [entry["step"] for entry in history] == [4, 6]


@pytest.mark.parametrize("missing", ["corpus.txt", "tokenizer.json", "parrot.onnx", "dev.tsv"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    """A missing file of the recipe's is named, and nothing is trained."""
    toy.write(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises((RecipeError, PairsError), match=missing):
        run(toy.recipe(), tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_every_step_has_its_own_learning_rate(uninterrupted: Path) -> None:
    """The optimiser's rate after the run is that of the last step."""
    (group,) = state(uninterrupted)["optimiser"]["param_groups"]
    assert group["lr"] == toy.recipe().optimisation.learning_rate_at(19)


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
