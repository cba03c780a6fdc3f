"""A recipe becomes a checkpoint: the student learns, and runs repeat."""

from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.stats import spearmanr
from torch.nn import functional

from bothends.model.tokenizer import Tokenizer
from bothends_export import checkpoint
from bothends_export.encoder import Encoder
from bothends_training import train
from bothends_training.errors import RecipeError
from bothends_training.evaluate import PairsError, read_pairs
from bothends_training.recipe import Recipe
from tests.support import toy

from .runs import EVERYTHING, run, state


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "float32"},
        {"student": {**toy.recipe().student.model_dump(), "pooling": "max"}},
        {
            "student": {
                **toy.recipe().student.model_dump(),
                "pooling": "attention",
                "attention": {"size": 5, "hops": 2},
            }
        },
        pytest.param(EVERYTHING, marks=pytest.mark.slow),
    ],
    ids=["float32", "max", "attention", "everything"],
)
def test_the_student_learns(folder: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    """The loss falls well below that of the same student on the same batches at a learning rate of nothing."""
    plan = {"steps": 120, "evaluate_every": 30, "token_dropout": 0.1, **options}
    taught = run(toy.recipe(**plan), folder, tmp_path / "taught")
    untrained = run(toy.recipe(**plan, learning_rate=1e-12, final_learning_rate=1e-12), folder, tmp_path / "untrained")
    assert [entry["step"] for entry in taught] == [30, 60, 90, 120]
    assert taught[-1]["loss"] < taught[0]["loss"] < untrained[0]["loss"]
    assert taught[-1]["loss"] < 0.6 * untrained[-1]["loss"]


@pytest.mark.brief
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


def test_the_table_is_stored_as_the_recipe_says(folder: Path, tmp_path: Path) -> None:
    """The table takes half the size where float16 is asked for, and keeps every bit where float32 is."""
    student = {**toy.recipe().student.model_dump(), "table_dtype": "float32"}
    run(toy.recipe(student=student, steps=1), folder, tmp_path)
    assert checkpoint.load(tmp_path).table_dtype == torch.float32


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


@pytest.mark.parametrize("missing", ["corpus.txt", "tokenizer.json", "parrot.onnx", "dev.tsv"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    """A missing file of the recipe's is named, and nothing is trained."""
    toy.write(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises((RecipeError, PairsError), match=missing):
        run(toy.recipe(), tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_processor_without_bfloat16_trains_in_float32_and_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run is the same as one whose recipe asks for float32."""
    monkeypatch.setattr(train, "takes_bfloat16", lambda: False)
    found = run(toy.recipe(precision="bfloat16", steps=4), folder, tmp_path / "half")
    assert "training in float32" in " ".join(capsys.readouterr().out.split())
    assert [entry["loss"] for entry in found] == [
        entry["loss"] for entry in run(toy.recipe(steps=4), folder, tmp_path / "whole")
    ]
