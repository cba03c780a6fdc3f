"""search/exact.py finds what a sort of all similarities finds, however few rows it looks at together."""

from pathlib import Path

import numpy as np
import pytest

from bothends.search import exact, nearest, similarities

from .arrays import unit


@pytest.mark.parametrize("block_rows", [1, 7, 100, 10_000])
@pytest.mark.parametrize("top", [1, 5, 300])
def test_blocks_change_nothing(block_rows: int, top: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with fewer rows in a block than are asked for, and with fewer rows in all."""
    vectors, queries = unit(200, 8), unit(5, 8, seed=1)
    monkeypatch.setattr(exact, "BLOCK_BYTES", block_rows * 8 * 4)
    monkeypatch.setattr(exact, "QUERIES_AT_ONCE", 2)
    hits = nearest(vectors, queries, top=top)
    whole = queries @ vectors.T
    expected = np.argsort(-whole, axis=1, kind="stable")[:, :top]
    assert hits.rows.tolist() == expected.tolist()
    np.testing.assert_allclose(hits.scores, np.take_along_axis(whole, expected, axis=1), rtol=1e-5, atol=1e-6)


def test_of_equal_rows_the_first_is_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether they stand in one block or in several."""
    vectors = np.tile(unit(1, 4), (50, 1))
    for rows in (1, 7, 50):
        monkeypatch.setattr(exact, "BLOCK_BYTES", rows * 4 * 4)
        assert nearest(vectors, vectors[:1], top=3).rows.tolist() == [[0, 1, 2]]


def test_a_row_without_a_vector_is_never_found() -> None:
    vectors = unit(10, 4)
    vectors[[0, 3]] = np.nan
    hits = nearest(vectors, unit(2, 4, seed=1), top=10)
    assert hits.rows.shape == (2, 8)
    assert {0, 3}.isdisjoint(hits.rows.ravel().tolist())
    assert np.isnan(similarities(vectors, vectors[1])[[0, 3]]).all()
    nothing = nearest(np.full((3, 4), np.nan, np.float32), vectors[1:2], top=2)
    assert nothing.rows.shape == (1, 0)


def test_there_may_be_no_query_and_no_row() -> None:
    assert nearest(unit(3, 4), unit(0, 4), top=2).rows.shape == (0, 0)
    assert nearest(unit(0, 4), unit(2, 4), top=2).rows.shape == (2, 0)
    with pytest.raises(ValueError, match="at least one"):
        nearest(unit(3, 4), unit(1, 4), top=0)


def test_rows_may_stay_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read a block at a time: no more than a block's rows are asked of it."""
    vectors = unit(1000, 8)
    np.save(tmp_path / "vectors.npy", vectors)
    on_disk = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    monkeypatch.setattr(exact, "BLOCK_BYTES", 100 * 8 * 4)
    assert [len(block) for _, block in exact.blocks(on_disk)] == [100] * 10
    assert nearest(on_disk, vectors[42:43], top=1).rows.tolist() == [[42]]
