"""`bothends train` and `bothends evaluate`: what they print and where they write."""

import json
import lzma
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bothends.core.embedder import Embedder
from bothends.engines import native
from bothends.model.bundle import Bundle
from bothends.settings import Settings
from bothends_export import checkpoint
from bothends_export.checkpoint import Checkpoint
from bothends_export.export import export
from bothends_training import cli, judges
from bothends_training.errors import RecipeError
from bothends_training.evaluate import PairsError, read_held_out, read_pairs, spearman
from bothends_training.trials import Collection, by_words, read_collection, read_triples
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


def test_the_command_writes_where_it_is_told(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder given by --out holds the checkpoint and stands in the next command."""
    monkeypatch.chdir(tmp_path)
    arguments = [str(folder / "recipe.toml"), "--out", "here/it/is", "--cache", str(folder / "cache")]
    result = CliRunner().invoke(cli.train, arguments, catch_exceptions=False)
    assert "next: bothends export here/it/is --out BUNDLE" in result.output
    assert checkpoint.load(tmp_path / "here" / "it" / "is").config.name == "toy"
    assert not (tmp_path / "checkpoints").exists()


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


def test_one_teacher_can_embed_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the teacher that is named has vectors afterwards; a name that the recipe lacks is refused."""
    recipe = toy.write(tmp_path / "recipes")
    toy.write_onnx_teacher(tmp_path / "recipes" / "owl.onnx", seed=1)
    text = recipe.read_text(encoding="utf-8")
    owl = text[text.index("[[teachers]]") : text.index("[student]")].replace("parrot", "owl")
    recipe.write_text(text.replace("[student]", owl + "[student]"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    arguments = [str(recipe), "--cache", "vectors", "--prepare", "--teacher"]
    result = CliRunner().invoke(cli.train, [*arguments, "owl"], catch_exceptions=False)
    assert "300 sentences and copies embedded" in result.output
    assert [folder.name.partition("-")[0] for folder in (tmp_path / "vectors").iterdir()] == ["owl"]
    with pytest.raises(RecipeError, match="none is named"):
        CliRunner().invoke(cli.train, [*arguments, "eagle"], catch_exceptions=False)


def test_search_and_triples_stand_in_the_table(
    make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path: Path
) -> None:
    """Each collection and kind has a row, with the score of the very embeddings that are served."""
    made = export(make_checkpoint()[1], tmp_path / "bundle")
    said = toy.sentences(30)
    for name, lines in {
        "documents": [f"{number}\t{text}" for number, text in enumerate(said)],
        "queries": ["1\tthe dog", "2\ta bird"],
        "relevant": ["1\t3", "2\t4", "2\t5"],
    }.items():
        (tmp_path / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "triples.tsv").write_text("roles\tthe man sees a dog\ta dog the man sees\ta dog sees the man\n")
    arguments = ["--retrieval", str(tmp_path), "--triples", str(tmp_path / "triples.tsv")]
    result = CliRunner().invoke(cli.evaluate, [str(made.path), *arguments])
    assert result.exit_code == 0, result.output
    collection, (triples,) = read_collection(tmp_path), read_triples(tmp_path / "triples.tsv")
    with Embedder.load(made, settings=Settings(max_sentences=40)) as embedder:
        scores = [trial.score(embedder.embed(trial.texts).rows) for trial in (collection, triples)]
    found, kind = (row for row in table_of(result.output))
    assert found[-3:] == ["2", "float32", f"{scores[0]:.2f}"]
    assert kind == ["roles", "1", "float32", f"{scores[1]:.2f}"]
    result = CliRunner().invoke(cli.evaluate, [str(made.path), *arguments, "--hybrid"])
    assert [row[-1] for row in table_of(result.output)] == [
        f"{score:.2f}" for score in (scores[0], *_with_words(collection, made), scores[1])
    ]


def _with_words(collection: Collection, made: Bundle) -> list[float]:
    """Compute the scores of words alone and of both."""
    with Embedder.load(made, settings=Settings(max_sentences=40)) as embedder:
        vectors = embedder.embed(collection.texts).rows
    return [trial.score(vectors) for trial in by_words(collection)]


def test_hybrid_search_wants_a_collection(
    make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path: Path
) -> None:
    """Words rank documents, and pairs have none."""
    made = export(make_checkpoint()[1], tmp_path / "bundle")
    toy.write_pairs(tmp_path / "dev.tsv", count=5)
    result = CliRunner().invoke(cli.evaluate, [str(made.path), "--sts", str(tmp_path / "dev.tsv"), "--hybrid"])
    assert result.exit_code == 2
    assert "--hybrid and --pieces are for collections" in result.output


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


@pytest.mark.usefixtures("own_files")
def test_no_table_is_wider_than_a_terminal(
    make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path: Path
) -> None:
    """At 80 columns no cell is cut and no line broken."""
    _, whole = make_checkpoint()
    named = replace(whole, config=whole.config.model_copy(update={"nested_dimensions": (4, 8)}))
    made = export(named, tmp_path / "bundle")
    result = CliRunner(env={"COLUMNS": "80"}).invoke(cli.evaluate, [str(made.path), "--sets-folder", str(tmp_path)])
    assert "…" not in result.output
    assert all(len(row) >= 6 for row in table_of(result.output))


@pytest.mark.parametrize("line", ["kind\t0.5\tone", "kind\tx\tone\ttwo", "kind\t0.5\t\ttwo"])
def test_held_out_pairs_that_are_none_are_refused(line: str, tmp_path: Path) -> None:
    """The error names file and line."""
    with lzma.open(tmp_path / "pairs.xz", "wt") as file:
        file.write(f"kind\t0.5\tone\ttwo\n{line}\n")
    with pytest.raises(PairsError, match=r"pairs\.xz:2"):
        read_held_out(tmp_path / "pairs.xz")
    with pytest.raises(PairsError, match="can't be read"):
        read_held_out(tmp_path / "none.xz")


def table_of(output: str) -> list[list[str]]:
    """The cells of each row: those lines that name a precision."""
    lines = [line.split() for line in output.splitlines()]
    return [line for line in lines if {"float32", "bf16", "int8"} & set(line)]


@pytest.mark.parametrize("sizes", [(), (4, 16)])
def test_the_table_scores_what_the_service_computes(
    make_checkpoint: Callable[..., tuple[Path, Checkpoint]], sizes: tuple[int, ...], tmp_path: Path
) -> None:
    """`bothends evaluate` shows each file's pairs and the Spearman of the very embeddings that are served, whole and
    at each nested size.
    """
    _, whole = make_checkpoint()
    named = replace(whole, config=whole.config.model_copy(update={"nested_dimensions": sizes}))
    made = export(named, tmp_path / "bundle")
    for name, count in (("one", 40), ("two", 25)):
        toy.write_pairs(tmp_path / f"{name}.tsv", count=count)
    files = [str(tmp_path / "one.tsv"), str(tmp_path / "two.tsv")]
    result = CliRunner().invoke(cli.evaluate, [str(made.path), "--sts", files[0], "--sts", files[1]])
    assert result.exit_code == 0, result.output
    rows = table_of(result.output)
    with Embedder.load(made, settings=Settings(max_sentences=40)) as embedder:
        for row, file, count in zip(rows, files, ("40", "25"), strict=True):
            pairs = read_pairs(Path(file))
            first, second = (embedder.embed(side).rows for side in (pairs.first, pairs.second))
            expected = [spearman(pairs.scores, first, second)]
            for size in reversed(sizes):
                taken = [*range(size // 2), *range(16, 16 + size // 2)]
                expected.append(spearman(pairs.scores, first[:, taken], second[:, taken]))
            assert row == [pairs.name, count, "float32", *(f"{score:.2f}" for score in expected)]


@pytest.mark.skipif(not native.is_built(), reason="bothends-native isn't built (make native)")
def test_it_tells_what_a_lesser_precision_costs(
    make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path: Path
) -> None:
    """The table holds each file at each precision, and how far its embeddings are from float32's."""
    made = export(make_checkpoint()[1], tmp_path / "bundle")
    toy.write_pairs(tmp_path / "dev.tsv", count=25)
    asked = [word for precision in ("float32", "bf16", "int8") for word in ("--precision", precision)]
    result = CliRunner().invoke(cli.evaluate, [str(made.path), "--sts", str(tmp_path / "dev.tsv"), *asked])
    assert result.exit_code == 0, result.output
    assert [row[2] for row in table_of(result.output)] == ["float32", "bf16", "int8"]
    off = re.findall(
        r"^(\w+): 1 − cosine to float32's embeddings (\S+) in the mean, (\S+) at most", result.output, re.M
    )
    assert [precision for precision, _, _ in off] == ["bf16", "int8"]
    (bf16_mean, bf16_most), (int8_mean, int8_most) = ((float(mean), float(most)) for _, mean, most in off)
    assert 0 < bf16_mean <= bf16_most < int8_most < 1e-2
    assert int8_mean <= int8_most
