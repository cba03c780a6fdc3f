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
    """Numbers of the rows, or of the texts where there are pieces, [queries, found]. Of equal ones the lower number is
    first."""
    scores: NDArray[np.float32]
    """What each was ranked by, [queries, found]."""


def nearest(
    vectors: NDArray[np.float32],
    queries: NDArray[np.float32],
    *,
    top: int,
    pieces: NDArray[np.int64] | None = None,
) -> Hits:
    """Find the `top` rows of `vectors`, float32 [rows, dimension], most similar to each of `queries`.

    `queries` are float32 [queries, dimension]. The score is the product, which for rows of length 1 is their cosine. A
    row with NaN in it, which stands for a sentence without a vector, is never found.

    With `pieces`, which `in_pieces` returns together with the rows to embed, texts are found instead of rows. A text's
    score is then half the sum of two products: of its own row, and of the best of its pieces. A text without pieces
    has its own row's product.

    Raises ValueError if `top` is below 1, or the rows aren't those of `pieces`.
    """
    if top < 1:
        raise ValueError(f"top is {top}; at least one row is to be found")
    found = [_nearest(vectors, queries[start : start + QUERIES_AT_ONCE], top, pieces) for start in _starts(queries)]
    if not found:
        return Hits(np.empty((0, 0), np.int64), np.empty((0, 0), np.float32))
    return Hits(np.concatenate([hits.rows for hits in found]), np.concatenate([hits.scores for hits in found]))


def similarities(
    vectors: NDArray[np.float32], query: NDArray[np.float32], *, pieces: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Return the score of every row of `vectors`, or with `pieces` of every text, for one `query`, as in `nearest`.

    `query` is float32 [dimension], the result float32 [rows] or [texts]. It is NaN for a row with NaN in it. Raises
    ValueError if the rows aren't those of `pieces`.
    """
    found = [scores[0] for _, scores in _scored(vectors, query[np.newaxis], pieces)]
    return np.concatenate(found) if found else np.empty(0, np.float32)


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
    rows = _block_rows(vectors)
    for start in range(0, len(vectors), rows):
        yield start, np.asarray(vectors[start : start + rows])


def _block_rows(vectors: NDArray[np.float32]) -> int:
    row_bytes: int = vectors.shape[1] * vectors.itemsize
    return max(1, BLOCK_BYTES // max(1, row_bytes))


def _starts(queries: NDArray[np.float32]) -> range:
    return range(0, len(queries), QUERIES_AT_ONCE)


def _nearest(
    vectors: NDArray[np.float32], queries: NDArray[np.float32], top: int, pieces: NDArray[np.int64] | None
) -> Hits:
    """Find the rows, or texts, for a group of queries that are compared with a block at once."""
    rows = [np.empty(0, np.int64)] * len(queries)
    scores = [np.empty(0, np.float32)] * len(queries)
    for start, block in _scored(vectors, queries, pieces):
        for query, among in enumerate(block):
            places, found = best(among, top)
            order = np.argsort(-np.concatenate([scores[query], found]), kind="stable")[:top]  # earlier rows stay first
            rows[query] = np.concatenate([rows[query], places + start])[order]
            scores[query] = np.concatenate([scores[query], found])[order]
    return Hits(np.stack(rows), np.stack(scores))


def _scored(
    vectors: NDArray[np.float32], queries: NDArray[np.float32], pieces: NDArray[np.int64] | None
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield the scores of rows, or of texts in `pieces`, block by block: the first one's number, and float32
    [queries, rows].
    """
    if pieces is None:
        yield from ((start, queries @ block.T) for start, block in blocks(vectors))
        return
    if (pieces[0], pieces[-1]) != (len(pieces) - 1, len(vectors)):
        raise ValueError(f"there are {len(vectors)} rows; those of in_pieces, texts and their pieces, are {pieces[-1]}")
    for start, stop in _spans(pieces, _block_rows(vectors)):
        scores = queries @ np.asarray(vectors[start:stop]).T
        of_pieces = queries @ np.asarray(vectors[pieces[start] : pieces[stop]]).T
        _add_best(scores, of_pieces, pieces[start : stop + 1] - pieces[start])
        yield start, scores


def _spans(pieces: NDArray[np.int64], rows: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of texts that have at most `rows` rows with their pieces; a text that has more is one of its own."""
    before = pieces - pieces[0] + np.arange(len(pieces))  # rows of all earlier texts
    start = 0
    while start < len(pieces) - 1:
        stop = max(start + 1, int(np.searchsorted(before, before[start] + rows, side="right")) - 1)
        yield start, stop
        start = stop


def _add_best(scores: NDArray[np.float32], of_pieces: NDArray[np.float32], starts: NDArray[np.int64]) -> None:
    """Replace `scores` of texts that have pieces, [queries, texts], by their mean with that of the best piece.

    `of_pieces` are the pieces' scores, [queries, pieces], those of text i from starts[i] to starts[i + 1]. A piece
    without a vector counts for nothing.
    """
    longer = np.flatnonzero(np.diff(starts))
    if len(longer):
        found = np.fmax.reduceat(of_pieces, starts[longer], axis=1)
        own = scores[:, longer]
        scores[:, longer] = (own + np.where(np.isnan(found), own, found)) / 2
