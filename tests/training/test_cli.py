"""`bothends train` and `bothends evaluate`: what they print and where they write."""

import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from bothends.engines import native
from bothends_export import checkpoint
from bothends_export.checkpoint import Checkpoint
from bothends_export.export import export
from bothends_training import cli, judges
from bothends_training.errors import RecipeError
from tests.support import toy


def test_the_command_trains_and_says_what_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe file becomes a checkpoint in the folder of its name, with scores on the way; a second time nothing is
    left to do.
    """
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


def test_the_command_can_have_the_teachers_embed_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors are there after --prepare, and no checkpoint is; the count is of what was embedded."""
    recipe = toy.write(tmp_path / "recipes")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli.train, [str(recipe), "--cache", "vectors", "--prepare"], catch_exceptions=False)
    assert "300 sentences and copies embedded; next: the same without --prepare" in result.output
    (kept,) = (tmp_path / "vectors").glob("parrot-*/sentences.u64")
    assert kept.stat().st_size >= 300 * 8  # the dev file's sentences are there too
    assert "parrot  dev " in result.output
    assert "all of them  dev " in result.output
    assert not (tmp_path / "checkpoints").exists()


def test_training_goes_on_elsewhere_without_the_teacher(tmp_path: Path) -> None:
    """Where the teacher's file isn't, a cache that was copied there is enough to train, and a sentence that isn't in it
    is refused by name.
    """
    recipe = toy.write(tmp_path / "here")
    prepare = [str(recipe), "--cache", str(tmp_path / "here" / "cache"), "--prepare"]
    assert CliRunner().invoke(cli.train, prepare).exit_code == 0
    (tmp_path / "here" / "parrot.onnx").unlink()
    elsewhere = (tmp_path / "here").rename(tmp_path / "elsewhere")
    command = [str(elsewhere / "recipe.toml"), "--cache", str(elsewhere / "cache"), "--out", str(elsewhere / "out")]
    CliRunner().invoke(cli.train, command, catch_exceptions=False)
    assert checkpoint.load(elsewhere / "out").config.training["step"] == 20
    with (elsewhere / "corpus.txt").open("a") as corpus:
        corpus.write("toy\tred red red boat\n")
    with pytest.raises(RecipeError, match=r"the teacher parrot isn't here.* 'red red red boat'"):
        CliRunner().invoke(cli.train, command, catch_exceptions=False)
    (elsewhere / "cache").rename(elsewhere / "another")
    with pytest.raises(RecipeError, match=r"parrot.onnx is missing"):
        CliRunner().invoke(cli.train, command, catch_exceptions=False)


@pytest.fixture
def own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins for the repository's own files: three triples of two kinds, six held-out pairs of three."""
    said = toy.sentences(30)
    triples = [f"{kind}\t{said[n]}\t{said[n + 3]}\t{said[n + 6]}\n" for n, kind in enumerate(("one", "one", "two"))]
    (tmp_path / "triples.tsv").write_text("".join(triples))
    pairs = [
        f"{kind}\t0.{n}\t{said[n]}\t{said[n + 9]}\n" for n, kind in enumerate(("a", "a", "b", "b", "copies", "copies"))
    ]
    with lzma.open(tmp_path / "held-out.tsv.xz", "wt") as file:
        file.writelines(pairs)
    monkeypatch.setattr(judges, "TRIPLES", tmp_path / "triples.tsv")
    monkeypatch.setattr(judges, "HELD_OUT", tmp_path / "held-out.tsv.xz")


@pytest.mark.usefixtures("own_files")
def test_everything_is_scored_where_nothing_is_named(
    make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path: Path
) -> None:
    """All that chose the packaged model is scored, as tables and as JSON; what isn't there is named."""
    made = export(make_checkpoint()[1], tmp_path / "bundle")
    toy.write_pairs(tmp_path / "sick-dev.tsv", count=25)
    command = [str(made.path), "--sets-folder", str(tmp_path)]
    result = CliRunner().invoke(cli.evaluate, [*command, "--json"], catch_exceptions=False)
    found = json.loads(result.output)
    assert found["skipped"] == ["stsb-dev", "cacm", "cisi"]
    precisions = ["float32", "int8"] if native.is_built() else ["float32"]
    asked = ["sick-dev", "a", "b", "copies", "mean of 2 kinds", "one", "two"]
    assert [(row["set"], row["precision"]) for row in found["scores"]] == [
        (name, precision) for name in asked for precision in precisions
    ]
    scores = {row["set"]: row["scores"]["32"] for row in found["scores"] if row["precision"] == "float32"}
    assert scores["mean of 2 kinds"] == pytest.approx((scores["a"] + scores["b"]) / 2, abs=0.01)
    assert list(found["off_float32"]) == precisions[1:]
    shown = CliRunner().invoke(cli.evaluate, command, catch_exceptions=False)
    assert "Not here, and so not scored: stsb-dev, cacm, cisi." in shown.output
    assert [row[-1] for row in table_of(shown.output)] == [f"{row['scores']['32']:.2f}" for row in found["scores"]]


def test_collections_are_searched_in_each_way_that_is_asked_for(
    make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path: Path
) -> None:
    """By pieces and by words, both or neither; pieces have 30 words where no number is given."""
    made = export(make_checkpoint()[1], tmp_path / "bundle")
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    said = toy.sentences(30)
    (shelf / "documents.tsv").write_text("".join(f"{n}\t{' '.join(said[n : n + 20])}\n" for n in range(10)))
    (shelf / "queries.tsv").write_text(f"q\t{said[3]}\n")
    (shelf / "relevant.tsv").write_text("q\t3\n")

    def searched(*flags: str) -> list[str]:
        command = [str(made.path), "--retrieval", str(shelf), "--json", *flags]
        result = CliRunner().invoke(cli.evaluate, command, catch_exceptions=False)
        rows = json.loads(result.output)["scores"]
        assert all(0 <= row["scores"]["32"] <= 100 for row in rows)
        return [row["set"] for row in rows]

    words = ["shelf, BM25 alone", "shelf, whole with BM25"]
    assert searched() == ["shelf"]
    assert searched("--hybrid") == ["shelf", *words]
    assert searched("--pieces") == ["shelf", "shelf, pieces of 30"]
    assert searched("--pieces", "9", "--hybrid") == [
        "shelf",
        "shelf, pieces of 9",
        *words,
        "shelf, pieces of 9 with BM25",
    ]
    refused = CliRunner().invoke(cli.evaluate, [str(made.path), "--pieces", "--triples", str(judges.TRIPLES)])
    assert "--hybrid and --pieces are for collections" in refused.output


def table_of(output: str) -> list[list[str]]:
    """The cells of each row: those lines that name a precision."""
    lines = [line.split() for line in output.splitlines()]
    return [line for line in lines if {"float32", "bf16", "int8"} & set(line)]
