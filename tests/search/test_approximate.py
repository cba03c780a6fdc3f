"""search/approximate.py finds nearly all that a look at every row finds."""

from pathlib import Path

import numpy as np
import pytest

from bothends.search import exact, nearest

from .arrays import unit

pytest.importorskip("faiss", reason="faiss is missing: pip install faiss-cpu")

from bothends.search import NeighbourGraph


def test_nearly_all_is_found_and_ranked_alike(tmp_path: Path) -> None:
    """Of what it finds, the scores are the exact ones; a graph that was saved answers as before."""
    vectors, queries = unit(3000, 16), unit(50, 16, seed=1)
    vectors[::100] = np.nan
    graph = NeighbourGraph.build(vectors)
    exact, found = nearest(vectors, queries, top=10), graph.nearest(queries, top=10)
    shared = [len(set(a) & set(b)) for a, b in zip(exact.rows.tolist(), found.rows.tolist(), strict=True)]
    assert sum(shared) >= 0.98 * 500
    np.testing.assert_allclose(
        found.scores, np.einsum("qd,qkd->qk", queries, vectors[found.rows]), rtol=1e-4, atol=1e-5
    )
    assert (np.diff(found.scores) <= 0).all()
    assert not (found.rows % 100 == 0).any()
    graph.save(tmp_path / "graph")
    assert NeighbourGraph.load(tmp_path / "graph").nearest(queries, top=10).rows.tolist() == found.rows.tolist()


def test_rows_keep_their_numbers_past_the_first_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph is made a block of rows at a time; each row's nearest is itself."""
    vectors = unit(100, 8)
    monkeypatch.setattr(exact, "BLOCK_BYTES", 30 * 8 * 4)
    found = NeighbourGraph.build(vectors).nearest(vectors, top=1)
    assert found.rows.ravel().tolist() == list(range(100))


def test_there_may_be_fewer_rows_than_are_asked_for() -> None:
    assert NeighbourGraph.build(unit(3, 8)).nearest(unit(2, 8), top=10).rows.shape == (2, 3)
    assert NeighbourGraph.build(unit(0, 8)).nearest(unit(2, 8), top=10).rows.shape == (2, 0)
    assert NeighbourGraph.build(unit(3, 8)).nearest(unit(0, 8), top=10).rows.shape == (0, 0)
