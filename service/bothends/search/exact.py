"""Finds the rows most similar to queries by looking at every row, one block at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 32 << 20
"""Memory that the rows looked at together take: they may be more than there is memory for."""
QUERIES_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Hits:
    """Rows found for each query, best first: as many as requested, or all if there are fewer."""

    rows: NDArray[np.int64]
    """Numbers of the rows, [queries, found]. Of equal ones the lower number is first."""
    scores: NDArray[np.float32]
    """What each was ranked by, [queries, found]."""


def nearest(vectors: NDArray[np.float32], queries: NDArray[np.float32], *, top: int) -> Hits:
    """Find the `top` rows of `vectors`, float32 [rows, dimension], most similar to each of `queries`.

    `queries` are float32 [queries, dimension]. The score is the product, which for rows of length 1 is their cosine. A
    row with NaN in it, which stands for a sentence without a vector, is never found. Raises ValueError if `top` is
    below 1.
    """
    if top < 1:
        raise ValueError(f"top is {top}; at least one row is to be found")
    found = [_nearest(vectors, queries[start : start + QUERIES_AT_ONCE], top) for start in _starts(queries)]
    if not found:
        return Hits(np.empty((0, 0), np.int64), np.empty((0, 0), np.float32))
    return Hits(np.concatenate([hits.rows for hits in found]), np.concatenate([hits.scores for hits in found]))


def similarities(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the product of every row of `vectors` with one `query`, float32 [dimension]: float32 [rows].

    It is NaN for a row with NaN in it.
    """
    whole = np.empty(len(vectors), np.float32)
    for start, block in blocks(vectors):
        np.matmul(block, query, out=whole[start : start + len(block)])
    return whole


def best(scores: NDArray[np.float32], top: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the indices of the `top` highest of `scores`, float32 [rows], best first, and those scores.

    NaN is never among them. Of equal scores, the one with the lower index comes first.
    """
    places = np.flatnonzero(~np.isnan(scores))
    if len(places) > top:
        usable = scores[places]
        places = places[usable >= np.partition(usable, -top)[-top]]
    places = places[np.argsort(-scores[places], kind="stable")[:top]]
    return places, scores[places]


def blocks(vectors: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield `vectors` in blocks of rows that take at most BLOCK_BYTES, each with the number of its first row."""
    rows = max(1, BLOCK_BYTES // max(1, vectors.shape[1] * vectors.itemsize))
    for start in range(0, len(vectors), rows):
        yield start, np.asarray(vectors[start : start + rows])


def _starts(queries: NDArray[np.float32]) -> range:
    return range(0, len(queries), QUERIES_AT_ONCE)


def _nearest(vectors: NDArray[np.float32], queries: NDArray[np.float32], top: int) -> Hits:
    """Find the rows for a group of queries that are compared with a block at once."""
    rows = [np.empty(0, np.int64)] * len(queries)
    scores = [np.empty(0, np.float32)] * len(queries)
    for start, block in blocks(vectors):
        for query, among in enumerate(queries @ block.T):
            places, found = best(among, top)
            order = np.argsort(-np.concatenate([scores[query], found]), kind="stable")[:top]  # earlier rows stay first
            rows[query] = np.concatenate([rows[query], places + start])[order]
            scores[query] = np.concatenate([scores[query], found])[order]
    return Hits(np.stack(rows), np.stack(scores))
