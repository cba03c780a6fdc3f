"""Vectors in one small file: what they lose, that the file is as small as it was told to be, and training from it."""

import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from bothends_export import checkpoint
from bothends_training import cli
from bothends_training.errors import RecipeError
from bothends_training.pack import Loss, pack, unpack
from bothends_training.vectors import cached_vectors
from tests.support import toy

COUNT, DIMENSION = 3000, 24
SENTENCES = [f"sentence {number}" for number in range(COUNT)]


class Scattered:
    """A teacher whose unit vectors differ along few directions much, and along many a little, as real ones do."""

    dimension = DIMENSION

    def __init__(self, name: str = "scattered", seed: int = 0) -> None:
        self.name, self.identity, self._seed = name, f"scattered {seed}", seed

    def embed(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Vectors that follow from each sentence's number."""
        turned, _ = np.linalg.qr(np.random.default_rng(self._seed).normal(size=(DIMENSION, DIMENSION)))
        rows = [np.random.default_rng(int(text.split()[1])).normal(size=DIMENSION) for text in sentences]
        vectors = (np.stack(rows) * 0.7 ** np.arange(DIMENSION) + 0.3) @ turned
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def packed(tmp_path: Path, *, max_bytes: int, names: tuple[str, ...] = ("scattered",)) -> tuple[Path, list[Loss]]:
    """A file of the vectors of teachers of these names, and what they lost."""
    teachers = [Scattered(name, seed) for seed, name in enumerate(names)]
    for teacher in teachers:
        cached_vectors(teacher, SENTENCES, tmp_path / "cache")
    return tmp_path / "packed", pack(teachers, tmp_path / "cache", tmp_path / "packed", max_bytes=max_bytes)


def test_each_sentence_finds_its_vector_again(tmp_path: Path) -> None:
    """Vectors of two teachers come back in another cache, each where its sentence is asked for, in unit length and
    nearly as they were; what the command tells of their loss is true.
    """
    file, losses = packed(tmp_path, max_bytes=200_000, names=("one", "two"))
    assert [kept.name for kept in unpack(file, tmp_path / "other")] == ["one", "two"]
    for teacher, loss in zip((Scattered("one", 0), Scattered("two", 1)), losses, strict=True):
        (kept,) = (kept for kept in unpack(file, tmp_path / "other") if kept.name == teacher.name)
        found, right = cached_vectors(kept, SENTENCES, tmp_path / "other")[:], teacher.embed(SENTENCES)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=2e-3)
        cosines = (found * right).sum(1)
        assert cosines.min() > 0.99
        assert loss.cosine == pytest.approx(cosines.mean(), abs=1e-3)
        half = COUNT // 2
        change = np.abs((found[:half] * found[half:]).sum(1) - (right[:half] * right[half:]).sum(1)).mean()
        assert loss.change == pytest.approx(change, rel=0.1)
        assert (loss.vectors, loss.dimension) == (COUNT, DIMENSION)


def test_the_file_is_as_small_as_it_is_told_to_be(tmp_path: Path) -> None:
    """The size decides the step: no larger, and not much smaller either; less room, more loss."""
    max_bytes = 40_000
    file, (loss,) = packed(tmp_path, max_bytes=max_bytes)
    assert 0.8 * max_bytes < file.stat().st_size <= max_bytes
    _, (other,) = packed(tmp_path, max_bytes=max_bytes - 3000)
    assert other.cosine < loss.cosine


def test_what_can_not_be_packed_is_refused(tmp_path: Path) -> None:
    """A size that nothing fits in, a cache without vectors, and a file that is no pack."""
    with pytest.raises(RecipeError, match="3,000 vectors can't be packed into 1,000 bytes"):
        packed(tmp_path, max_bytes=1000)
    with pytest.raises(RecipeError, match="holds no vectors of the teacher scattered"):
        pack([Scattered()], tmp_path / "empty", tmp_path / "file", max_bytes=10**6)
    (tmp_path / "text").write_text("hello")
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("hello", "hello")
    for name in ("missing", "text", "zip"):
        with pytest.raises(RecipeError, match="holds no packed vectors"):
            unpack(tmp_path / name, tmp_path / "other")
    assert not (tmp_path / "file").exists()


def test_vectors_that_a_cache_has_stay(tmp_path: Path) -> None:
    """A cache keeps its own, exact vectors of sentences that a file has too, and gets the others."""
    file, _ = packed(tmp_path, max_bytes=200_000)
    exact = cached_vectors(Scattered(), SENTENCES[::2], tmp_path / "other")[:]
    unpack(file, tmp_path / "other")
    found = cached_vectors(Scattered(), SENTENCES, tmp_path / "other")
    assert len(found.kept) == COUNT
    np.testing.assert_array_equal(found[np.arange(0, COUNT, 2)], exact)


def test_training_goes_on_elsewhere_without_the_teacher(tmp_path: Path) -> None:
    """The command packs what the cache holds; where the teacher's file isn't, that is enough to train, and a sentence
    that isn't in it is refused by name.
    """
    recipe = toy.write(tmp_path / "here")
    call = CliRunner().invoke
    assert call(cli.train, [str(recipe), "--cache", str(tmp_path / "cache"), "--prepare"]).exit_code == 0
    file = str(tmp_path / "vectors")
    told = call(cli.train, [str(recipe), "--cache", str(tmp_path / "cache"), "--pack", file], catch_exceptions=False)
    assert "vectors of 8" in told.output
    assert "cosine to the original 0.9" in told.output
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "here", elsewhere)
    (elsewhere / "parrot.onnx").unlink()
    again = [str(elsewhere / "recipe.toml"), "--cache", str(elsewhere / "cache"), "--out", str(elsewhere / "out")]
    with pytest.raises(RecipeError, match=r"parrot.onnx is missing"):
        call(cli.train, again, catch_exceptions=False)
    call(cli.train, [*again, "--unpack", file], catch_exceptions=False)
    assert checkpoint.load(elsewhere / "out").config.training["step"] == 20
    with (elsewhere / "corpus.txt").open("a") as corpus:
        corpus.write("toy\tred red red boat\n")
    with pytest.raises(RecipeError, match=r"the teacher parrot isn't here.* 'red red red boat'"):
        call(cli.train, again, catch_exceptions=False)
