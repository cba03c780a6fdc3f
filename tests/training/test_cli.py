"""`bothends train` and `bothends evaluate`: what they print and where they write."""

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
from bothends_training import cli
from bothends_training.errors import RecipeError
from bothends_training.evaluate import read_pairs, spearman
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


def test_nothing_to_score_is_said(make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path: Path) -> None:
    """A bundle alone makes no table."""
    made = export(make_checkpoint()[1], tmp_path / "bundle")
    result = CliRunner().invoke(cli.evaluate, [str(made.path)])
    assert result.exit_code == 2
    assert "--retrieval" in result.output
    result = CliRunner().invoke(cli.evaluate, [str(made.path), "--sts", "x", "--hybrid"])
    assert result.exit_code == 2
    assert "--hybrid is for collections" in result.output


def table_of(output: str) -> list[list[str]]:
    """The cells of each row below the heading's rule."""
    lines = [line.split() for line in output.splitlines()]
    rule = next(place for place, line in enumerate(lines) if line and set(line[0]) == {"─"})
    return [line for line in lines[rule + 1 :] if line]


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
    rows = table_of(result.output)
    assert [row[2] for row in rows] == ["float32", "bf16", "int8"]
    off = [(float(row[-2]), float(row[-1])) for row in rows]
    assert all(0 <= mean <= most or most < 1e-12 for mean, most in off)
    assert off[0][1] < 1e-12 < off[1][1] < off[2][1] < 1e-2
