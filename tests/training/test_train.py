"""A recipe to a checkpoint: that the student learns, that runs repeat, and that a kill changes nothing."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from rich.progress import Progress
from scipy.stats import spearmanr
from torch.nn import functional

from bothends.model.tokenizer import Tokenizer
from bothends_export import checkpoint
from bothends_export.encoder import Encoder
from bothends_training import cli, train
from bothends_training import dataset as dataset_module
from bothends_training.evaluate import PairsError, read_pairs
from bothends_training.recipe import Recipe, RecipeError
from bothends_training.teacher import Teacher, token_embeddings
from bothends_training.train import STATE
from tests.support import toy

CPU = torch.device("cpu")

EVERYTHING: dict[str, Any] = {
    "corpus": {"path": "corpus.txt", "sentences": 1000, "near_match": 0.8, "scrambled": 0.3, "varied": 0.3},
    "teachers": [toy.teacher(), toy.teacher(max_tokens=5).model_copy(update={"name": "few", "sentences": 150})],
    "batches": {"size": 16, "bucket": 2, "neighbourhoods": 4, "share": 0.5},
    "loss": {"contrast_weight": 0.2, "nested": [4, 8], "nested_weight": 0.3, "mean_state_weight": 0.1},
    "average_decay": 0.5,
    "precision": "bfloat16",
}
"""Every option that a recipe has, at once."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that a toy recipe names. Tests that change files make their own."""
    return toy.write(tmp_path_factory.mktemp("toy")).parent


def run(recipe: Recipe, folder: Path, out: Path) -> list[dict[str, float]]:
    """Train by `recipe` into `out`, as the command does, whatever torch's random numbers were up to before."""
    torch.seed()
    return train.train(recipe, folder, out, folder / "cache", Progress())


def state(out: Path) -> dict[str, Any]:
    """All that a run left to go on from, but for the time it took."""
    loaded: dict[str, Any] = torch.load(out / STATE, weights_only=True)
    assert loaded.pop("seconds") > 0
    return loaded


def assert_same(one: Any, other: Any) -> None:
    """Bit for bit, through dicts and lists of tensors and numbers."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list):
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other


@pytest.fixture(scope="module")
def uninterrupted(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a toy run that nothing disturbed."""
    out = tmp_path_factory.mktemp("uninterrupted")
    run(toy.recipe(), folder, out)
    return out


@pytest.mark.parametrize(
    "options",
    [{"precision": "float32"}, {"precision": "bfloat16"}, EVERYTHING],
    ids=["float32", "bfloat16", "everything"],
)
def test_the_student_learns(folder: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    """Its loss falls well below that of the same student on the same batches at a learning rate of nothing."""
    plan = {"steps": 120, "evaluate_every": 30, "token_dropout": 0.1, **options}
    taught = run(toy.recipe(**plan), folder, tmp_path / "taught")
    untrained = run(toy.recipe(**plan, learning_rate=1e-12, final_learning_rate=1e-12), folder, tmp_path / "untrained")
    assert [entry["step"] for entry in taught] == [30, 60, 90, 120]
    assert taught[-1]["loss"] < taught[0]["loss"] < untrained[0]["loss"]
    assert taught[-1]["loss"] < 0.6 * untrained[-1]["loss"]


def test_token_vectors_are_dropped_while_it_learns(folder: Path, tmp_path: Path) -> None:
    """The recipe's dropout is felt in the loss of the very first step, whose student and batch are the same."""
    (without,) = run(toy.recipe(steps=1, token_dropout=0.0), folder, tmp_path / "without")
    (dropped,) = run(toy.recipe(steps=1, token_dropout=0.3), folder, tmp_path / "dropped")
    assert dropped["loss"] != without["loss"]


def test_two_runs_make_the_same_weights(folder: Path, uninterrupted: Path, tmp_path: Path) -> None:
    """The recipe's seed decides everything: weights, optimiser and history agree bit for bit."""
    run(toy.recipe(), folder, tmp_path)
    assert_same(state(tmp_path), state(uninterrupted))
    assert (tmp_path / checkpoint.WEIGHTS).read_bytes() == (uninterrupted / checkpoint.WEIGHTS).read_bytes()


def test_another_seed_makes_other_weights(folder: Path, uninterrupted: Path, tmp_path: Path) -> None:
    """Or else the test before would say little."""
    run(toy.recipe(seed=8), folder, tmp_path)
    assert not torch.equal(
        state(tmp_path)["encoder"]["lstm.weight_hh_l0"], state(uninterrupted)["encoder"]["lstm.weight_hh_l0"]
    )


class Kill(BaseException):
    """Stands for SIGKILL: nothing in the code can catch it by mistake."""


def kill_in_step(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends before step `number` (from 0) is taken."""
    real: Callable[..., float] = train.step

    def step(dataset: Any, rows: Any, run: train.Run, *rest: Any) -> float:
        if run.step == number:
            raise Kill
        return real(dataset, rows, run, *rest)

    monkeypatch.setattr(train, "step", step)


def kill_in_save(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends in save `number` (from 0), its checkpoint written, half of its state too."""
    real = torch.save
    saved = []

    def save(content: Any, file: Path) -> None:
        if len(saved) == number:
            file.write_bytes(b"half of it")
            raise Kill
        saved.append(file)
        real(content, file)

    monkeypatch.setattr(torch, "save", save)


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
    """Wherever it stopped, the same command goes on from its last save, to the same bits, dropout and all."""
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


@pytest.fixture(scope="module", params=[None, {"path": "before"}], ids=["anew", "from another encoder"])
def of_every_option(
    request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Recipe, Path]:
    """A recipe of every option, and the checkpoint of its run that nothing disturbed."""
    if request.param:
        run(toy.recipe(), folder, folder / "before")
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
    """The trained weights, the table rounded to float16, the tokenizer without a transformer's marks, and its story."""
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
    """Half the size where float16 is asked for, every bit where float32 is."""
    student = {**toy.recipe().student.model_dump(), "table_dtype": table_dtype}
    run(toy.recipe(student=student, steps=1), folder, tmp_path)
    assert checkpoint.load(tmp_path).table_dtype == getattr(torch, table_dtype)


def test_the_history_holds_the_spearman_of_the_encoder(folder: Path, uninterrupted: Path) -> None:
    """One entry an evaluation; the last one's score is that of the final weights, sentence by sentence, by scipy."""
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


def test_the_average_of_weights_is_scored_and_exported(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each step it moves to the new weights by 1 − decay, by more at first; the steps never feel it."""
    plain, averaged, scored = tmp_path / "plain", tmp_path / "averaged", list[Encoder]()
    run(toy.recipe(), folder, plain)
    expected: dict[str, torch.Tensor] = {}
    real: Callable[..., float] = train.step

    def step(job: Any, rows: Any, taught: train.Run) -> float:
        loss = real(job, rows, taught)
        decay = min(0.4, (1 + taught.step) / (10 + taught.step)) if expected else 0
        for name, now in taught.encoder.state_dict().items():
            expected[name] = decay * expected.get(name, 0) + (1 - decay) * now
        return loss

    def embed(encoder: Encoder, *rest: Any) -> Any:
        scored.append(encoder)
        return real_embed(encoder, *rest)

    real_embed = train.embed
    monkeypatch.setattr(train, "step", step)
    monkeypatch.setattr(train, "embed", embed)
    run(toy.recipe(average_decay=0.4), folder, averaged)
    assert_same(state(averaged)["encoder"], state(plain)["encoder"])
    exported = checkpoint.load(averaged).encoder.state_dict()
    for name, tensor in expected.items():
        torch.testing.assert_close(scored[-1].state_dict()[name], tensor)
        torch.testing.assert_close(exported[name], tensor, rtol=0, atol=1e-3 if "embedding" in name else 1e-6)
        assert not torch.allclose(tensor, state(plain)["encoder"][name])


def test_a_run_without_dev_files_has_a_history_too(folder: Path, tmp_path: Path) -> None:
    """Steps and losses, and an entry at the end even where no evaluation falls on it."""
    history = run(toy.recipe(dev=[], steps=6), folder, tmp_path)
    assert [set(entry) for entry in history] == [{"step", "loss"}] * 2
    assert [entry["step"] for entry in history] == [4, 6]


def test_a_student_begins_with_its_teachers_words(folder: Path) -> None:
    """Its table is the teachers' view of each token, weighted by how often the corpus holds it."""
    recipe = toy.recipe(student={**toy.recipe().student.model_dump(), "token_norm": 2.5})
    dataset = dataset_module.prepare(recipe, folder, folder / "cache", Progress())
    begun = train.begin(recipe, folder, folder / "cache", dataset, CPU)
    words = Counter(word for sentence in toy.sentences(300) for word in sentence.split())
    counts = np.array([words[piece] for piece in toy.VOCABULARY], dtype=np.float64)
    views = Teacher(recipe.teachers[0], folder, folder / "cache").embed(
        [piece.removeprefix("##") for piece in toy.VOCABULARY]
    )
    views = views.astype(np.float16).astype(np.float32)
    expected = token_embeddings(views, counts / counts.sum(), size=6, norm=2.5, frequency_scale=1e-3)
    np.testing.assert_array_equal(begun.encoder.embedding.weight.detach().numpy(), expected)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_student_begins_by_remembering(folder: Path, layers: int) -> None:
    """The forget gates' biases stand near 1, in both directions of every layer; those of other gates near 0."""
    recipe = toy.recipe(student={**toy.recipe().student.model_dump(), "layers": layers})
    dataset = dataset_module.prepare(recipe, folder, folder / "cache", Progress())
    parameters = dict(train.begin(recipe, folder, folder / "cache", dataset, CPU).encoder.lstm.named_parameters())
    biases = [value.detach() for name, value in parameters.items() if name.startswith("bias_ih")]
    assert len(biases) == 2 * layers
    spread = 1 / 8**0.5  # of nn.LSTM's own initial values
    for bias in biases:
        gates = bias.view(4, 8)
        assert (gates[1] - 1).abs().max() <= spread
        assert gates[[0, 2, 3]].abs().max() <= spread


@pytest.mark.parametrize("missing", ["corpus.txt", "tokenizer.json", "parrot.onnx", "dev.tsv"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    """Whichever of the recipe's files it is, nothing is trained."""
    toy.write(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises((RecipeError, PairsError), match=missing):
        run(toy.recipe(), tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_tokenizer_that_is_none_is_named(tmp_path: Path) -> None:
    """A file that isn't even JSON is the recipe's fault."""
    (tmp_path / "tokenizer.json").write_text("no tokenizer", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"tokenizer\.json is no tokenizer\.json"):
        dataset_module.bare_tokenizer(tmp_path / "tokenizer.json")


def test_a_bare_tokenizer_is_the_same_but_for_marks_and_cutting(tmp_path: Path) -> None:
    """Vocabulary and normalisation stay; marks, cutting and padding go."""
    (tmp_path / "tokenizer.json").write_text(toy.tokenizer(), encoding="utf-8")
    whole, bare = json.loads(toy.tokenizer()), json.loads(dataset_module.bare_tokenizer(tmp_path / "tokenizer.json"))
    gone = {"post_processor", "truncation", "padding"}
    assert all(whole[key] and bare[key] is None for key in gone)
    assert {key: value for key, value in bare.items() if key not in gone} == {
        key: value for key, value in whole.items() if key not in gone
    }


def test_the_learning_rate_at_its_ends() -> None:
    """A straight line up over the warm-up, its last step at the top, then half a cosine down to the final rate."""
    recipe = toy.recipe(steps=110, warmup_steps=10, learning_rate=1e-2, final_learning_rate=1e-4)
    rates = [recipe.optimisation.learning_rate_at(step) for step in range(111)]
    assert rates[0] == pytest.approx(1e-3)
    assert rates[9] == rates[10] == pytest.approx(1e-2)
    assert rates[60] == pytest.approx((1e-2 + 1e-4) / 2)
    assert rates[110] == pytest.approx(1e-4)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)


@pytest.mark.parametrize(
    ("steps", "warmup_steps", "first", "last"), [(50, 0, 1.0, 1.0), (5, 10, 0.1, 0.5), (4, 4, 0.25, 1)]
)
def test_the_learning_rate_of_odd_plans(steps: int, warmup_steps: int, first: float, last: float) -> None:
    """No warm-up begins at the top; a plan that ends within its warm-up never gets there."""
    recipe = toy.recipe(steps=steps, warmup_steps=warmup_steps, learning_rate=1.0, final_learning_rate=1e-3)
    assert recipe.optimisation.learning_rate_at(0) == pytest.approx(first)
    end_of_warmup = max(0, warmup_steps - 1) if warmup_steps < steps else steps - 1
    assert recipe.optimisation.learning_rate_at(end_of_warmup) == pytest.approx(last)


def test_every_step_has_its_own_learning_rate(uninterrupted: Path) -> None:
    """The optimiser's rate after the run is that of the last step."""
    (group,) = state(uninterrupted)["optimiser"]["param_groups"]
    assert group["lr"] == toy.recipe().optimisation.learning_rate_at(19)


def test_the_command_trains_and_says_what_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From recipe file to a checkpoint in the folder of its name, scores on the way; a second time nothing is left."""
    recipe = toy.write(tmp_path / "recipes")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli.train, [str(recipe), "--cache", "vectors"], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.output.endswith("checkpoint in checkpoints/toy; next: bothends export checkpoints/toy --out BUNDLE\n")
    loaded = checkpoint.load(tmp_path / "checkpoints" / "toy")
    for entry in loaded.config.training["history"]:
        assert f"step {entry['step']:>6}  loss {entry['loss']:.2f}  dev {entry['dev']:.2f}" in result.output
    assert list((tmp_path / "vectors").glob("parrot-*/vectors.f16"))
    again = CliRunner().invoke(cli.train, [str(recipe), "--cache", "vectors"], catch_exceptions=False)
    assert again.exit_code == 0
    assert "loss" not in again.output


def test_the_command_writes_where_it_is_told(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--out is the checkpoint's folder and stands in the next command."""
    monkeypatch.chdir(tmp_path)
    arguments = [str(folder / "recipe.toml"), "--out", "here/it/is", "--cache", str(folder / "cache")]
    result = CliRunner().invoke(cli.train, arguments, catch_exceptions=False)
    assert "next: bothends export here/it/is --out BUNDLE" in result.output
    assert checkpoint.load(tmp_path / "here" / "it" / "is").config.name == "toy"
    assert not (tmp_path / "checkpoints").exists()


def test_other_sentences_under_the_same_recipe_are_refused(tmp_path: Path) -> None:
    """A run goes on only with the sentences that it began with."""
    folder = toy.write(tmp_path / "toy").parent
    run(toy.recipe(), folder, tmp_path)
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(corpus.read_text().splitlines()[::-1]))
    with pytest.raises(RecipeError, match="holds a run on other sentences"):
        run(toy.recipe(), folder, tmp_path)


def test_what_can_be_refused_is_refused_before_the_teachers_begin(tmp_path: Path) -> None:
    """Teachers may take hours: a missing dev file and a size too large are said first."""
    folder = toy.write(tmp_path / "toy").parent
    (folder / "dev.tsv").write_text("1\ta cat\t\u200b\n2\ta dog\ta bird\n")
    with pytest.raises(RecipeError, match=r"dev\.tsv:1: a sentence holds nothing"):
        run(toy.recipe(), folder, tmp_path)
    (folder / "dev.tsv").unlink()
    with pytest.raises(PairsError, match=r"dev\.tsv can't be read"):
        run(toy.recipe(), folder, tmp_path)
    assert not (folder / "cache").exists()


def test_a_resumed_run_asks_no_teacher_for_the_vocabulary(
    folder: Path, uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the saved state replaces isn't computed again; with large teachers that takes minutes."""
    with pytest.MonkeyPatch.context() as killing:
        kill_in_step(11, killing)
        with pytest.raises(Kill):
            run(toy.recipe(), folder, tmp_path)

    def begin(*_: Any) -> None:
        pytest.fail("a resumed run began anew")

    monkeypatch.setattr(train, "begin", begin)
    run(toy.recipe(), folder, tmp_path)
    assert_same(state(tmp_path), state(uninterrupted))
