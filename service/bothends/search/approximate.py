"""Finds rows by a graph of neighbours instead of looking at each: for millions of rows, if a few misses are
acceptable.
"""

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .exact import Hits, blocks

_NEIGHBOURS, _BUILD_DEPTH, _SEARCH_DEPTH = 32, 80, 128
"""HNSW's M, efConstruction and efSearch: more find more, and take longer."""


class NeighbourGraph:
    """Graph of neighbouring rows, by faiss's HNSW, together with the rows themselves; all of it is in memory.

    Malkov and Yashunin, "Efficient and Robust Approximate Nearest Neighbor Search Using Hierarchical Navigable Small
    World Graphs", 2018.
    """

    def __init__(self, graph: Any) -> None:
        """Wrap faiss's index of numbered rows; `build` and `load` make one."""
        self._graph = graph

    @classmethod
    def build(cls, vectors: NDArray[np.float32]) -> Self:
        """Build the graph of `vectors`, float32 [rows, dimension] of length 1. A row with NaN in it is left out.

        Raises ModuleNotFoundError without faiss.
        """
        faiss = _faiss()
        plain = faiss.IndexHNSWFlat(vectors.shape[1], _NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
        plain.hnsw.efConstruction = _BUILD_DEPTH
        graph = faiss.IndexIDMap2(plain)
        for start, block in blocks(vectors):
            usable = np.flatnonzero(~np.isnan(block).any(axis=1))
            graph.add_with_ids(np.ascontiguousarray(block[usable]), usable + start)
        return cls(graph)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a graph that `save` has written. Raises ModuleNotFoundError without faiss."""
        return cls(_faiss().read_index(str(path)))

    def save(self, path: Path) -> None:
        """Write the graph, with its rows, into a file."""
        _faiss().write_index(self._graph, str(path))

    def nearest(self, queries: NDArray[np.float32], *, top: int) -> Hits:
        """Find approximately what `bothends.search.nearest` finds: `queries` are float32 [queries, dimension].

        If a query finds fewer than `top` rows, the remaining ones are row -1 with score -inf.
        """
        faiss, count = _faiss(), min(top, self._graph.ntotal)
        if not count or not len(queries):
            return Hits(np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32))
        depth = faiss.SearchParametersHNSW(efSearch=max(_SEARCH_DEPTH, 2 * top))
        scores, rows = self._graph.search(np.ascontiguousarray(queries), count, params=depth)
        return Hits(rows, np.where(rows < 0, -np.inf, scores).astype(np.float32))


def _faiss() -> Any:
    try:
        import faiss
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            "an approximate search needs faiss: pip install faiss-cpu", name=missing.name
        ) from missing
    return faiss
