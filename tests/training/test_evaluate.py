"""Files of scored pairs, and the rank correlation of an embedding's cosines with them."""

import lzma
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import spearmanr

from bothends import Encoder
from bothends.embeddings import nested
from bothends.engines import native
from bothends.model.bundle import Bundle
from bothends_training.evaluate import Pairs, PairsError, evaluate, read_held_out, read_pairs, spearman, try_out

PAIRS = Pairs(
    "toy",
    [5.0, 2.0, 0.0, 1.0],
    ["a man plays the guitar", "there will be dragons", "no dragons", "the woman sings"],
    ["a woman plays the guitar", "there will be a man", "and the guitar plays", "dragons sing"],
)


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(5, 60))
def test_spearman_is_scipys_over_cosines(seed: int, count: int) -> None:
    """Spearman is × 100, over cosines and not dot products, with ties among the scores and among the cosines."""
    chance = np.random.default_rng(seed)
    scores = chance.integers(0, 4, size=count) / 2
    scores[:2] = 0.0, 1.5  # at least two ranks: a constant has no correlation
    grow = np.arange(1, count + 1)[:, np.newaxis]
    first, second = ((chance.normal(size=(count, 6)) * grow).astype(np.float32) for _ in range(2))
    first[1], second[1] = first[0], second[0]  # a tie
    cosines = [
        float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
        for a, b in zip(first.astype(float), second.astype(float), strict=True)
    ]
    assert cosines[0] == cosines[1]
    expected = 100 * spearmanr(scores, cosines).statistic
    assert spearman(scores.tolist(), first, second) == pytest.approx(expected, abs=1e-6)


def test_a_zero_vector_is_like_nothing() -> None:
    """A zero vector's cosine counts as 0, between like and opposite, and never as NaN."""
    first = np.array([[1, 0], [1, 0], [1, 0]], dtype=np.float32)
    second = np.array([[1, 0], [0, 0], [-1, 0]], dtype=np.float32)
    assert spearman([2.0, 1.0, 0.0], first, second) == pytest.approx(100)


@pytest.mark.skipif(not native.is_built(), reason="bothends-native isn't built (make native)")
def test_pairs_are_scored_at_each_precision_and_size(toy_bundle: Bundle) -> None:
    """And how far a precision's embeddings are from float32's at the mean, and at the worst of them."""
    sizes = (toy_bundle.config.dimension, 8)
    exact, coarse = evaluate(toy_bundle, [PAIRS], ["float32", "int8"], sizes)
    assert exact.to_float32 == pytest.approx((1, 1))
    rows = {}
    for score in (exact, coarse):
        with Encoder.load(toy_bundle.path, precision=score.precision) as encoder:
            halves = [encoder.encode(side) for side in (PAIRS.first, PAIRS.second)]
        assert score.spearman == [spearman(PAIRS.scores, *(nested(half, size) for half in halves)) for size in sizes]
        rows[score.precision] = np.concatenate(halves).astype(float)
        rows[score.precision] /= np.linalg.norm(rows[score.precision], axis=1, keepdims=True)
    cosines = (rows["float32"] * rows["int8"]).sum(axis=1)
    assert coarse.to_float32 == pytest.approx((cosines.mean(), cosines.min()), abs=1e-9)
    assert cosines.mean() - cosines.min() > 1e-7


@dataclass(frozen=True)
class Widths:
    """A trial whose score is how many numbers an embedding has."""

    texts: Sequence[str] = ("a man", "no dragons")
    name: str = "widths"
    count: int = 2

    def score(self, vectors: NDArray[np.float32]) -> float:
        return len(vectors.T)


def test_trials_are_made_at_each_size(toy_bundle: Bundle) -> None:
    sizes = (toy_bundle.config.dimension, 8, 2)
    ((trial, precision, scores),) = try_out(toy_bundle, [Widths()], ["float32"], sizes)
    assert (trial, precision, scores) == (Widths(), "float32", list(sizes))


def test_held_out_pairs_are_those_of_their_kind(tmp_path: Path) -> None:
    """In the order in which kinds come, however their lines are mixed."""
    lines = "news\t0.5\tone\tother\nchat\t-0.1\ta\tb\nnews\t1\tthis\tthat\n"
    (tmp_path / "pairs.tsv.xz").write_bytes(lzma.compress(lines.encode()))
    assert read_held_out(tmp_path / "pairs.tsv.xz") == [
        Pairs("news", [0.5, 1.0], ["one", "this"], ["other", "that"]),
        Pairs("chat", [-0.1], ["a"], ["b"]),
    ]


def test_pairs_are_read_as_they_stand(tmp_path: Path) -> None:
    """Score and both sentences, whatever else but a tab or a line feed is in them; the name is the file's stem."""
    file = tmp_path / "sick-dev.tsv"
    file.write_bytes("0\ta man\ta dog\n4.25\tone\u2028song\x0b\t naïve\x85\r\n5\tthe end\tthe end".encode())
    pairs = read_pairs(file)
    assert pairs == Pairs(
        "sick-dev", [0.0, 4.25, 5.0], ["a man", "one\u2028song\x0b", "the end"], ["a dog", " naïve\x85", "the end"]
    )


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("high\tone\tother", "the score 'high' is no number"),
        ("nan\tone\tother", "the score 'nan' is no number"),
        ("1.0\tone", "expected score⇥sentence⇥sentence"),
        ("1.0\t \tother", "expected score⇥sentence⇥sentence"),
        ("1.0\tone\t", "expected score⇥sentence⇥sentence"),
    ],
)
def test_a_wrong_line_is_named_by_file_and_number(tmp_path: Path, line: str, fault: str) -> None:
    """A score that is none, columns missing or too many, and a blank sentence: whose line it is stands first."""
    file = tmp_path / "dev.tsv"
    file.write_text(f"1.0\tone\tother\n2.0\tone\tother\n{line}\n3.0\tone\tother\n", encoding="utf-8")
    with pytest.raises(PairsError) as refused:
        read_pairs(file)
    assert str(refused.value) == f"{file}:3: {fault}"
