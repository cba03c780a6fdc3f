"""Finds the rows that repeat an earlier one, by comparing blocks of rows with those that repeat none."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK = 2000
"""Rows compared with as many at once: 16 MB of similarities, however many rows there are."""
_ROUNDING = 1e-6
"""What the product of two equal rows of length 1 may lack to 1."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Result of a search for duplicates: which row each row repeats."""

    leaders: NDArray[np.int64]
    """Number of the earlier row that each row repeats, [rows]; its own number if it repeats none."""
    scores: NDArray[np.float32]
    """Similarity to that row, [rows]; NaN if it repeats none."""

    @property
    def unique(self) -> NDArray[np.int64]:
        """Numbers of the rows that repeat no other, in order."""
        return np.flatnonzero(self.leaders == np.arange(len(self.leaders)))

    def groups(self) -> list[tuple[int, NDArray[np.int64]]]:
        """Return each row that is repeated, with the rows that repeat it, in order."""
        gone = np.flatnonzero(self.leaders != np.arange(len(self.leaders)))
        if not len(gone):
            return []
        gone = gone[np.argsort(self.leaders[gone], kind="stable")]
        heads, starts = np.unique(self.leaders[gone], return_index=True)
        return [(int(head), rows) for head, rows in zip(heads, np.split(gone, starts[1:]), strict=True)]


def near_duplicates(
    vectors: NDArray[np.float32], *, threshold: float, advance: Callable[[int], None] = lambda _: None
) -> Duplicates:
    """Find the rows of `vectors`, float32 [rows, dimension] of length 1, that repeat an earlier row.

    Each row is compared with the earlier rows that repeat none. It repeats the most similar of those if their product,
    the cosine, reaches `threshold`. Since only rows that repeat none can be repeated, no chain of small steps joins two
    rows that are far apart. A row with NaN in it repeats none and is repeated by none. Time grows with the square of
    the rows; memory doesn't. `advance` is called repeatedly with the number of rows done. Raises ValueError unless the
    threshold is above 0, and at most 1.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold is {threshold}; a cosine above 0, and 1 at most, is wanted")
    leaders = np.arange(len(vectors))
    scores = np.full(len(vectors), threshold - _ROUNDING, np.float32)
    for start in range(0, len(vectors), BLOCK):
        block = _without_nan(vectors[start : start + BLOCK])
        of_block = slice(start, start + len(block))
        stay = np.flatnonzero(leaders[:start] == np.arange(start))
        for first in range(0, len(stay), BLOCK):
            candidates = stay[first : first + BLOCK]
            found = block @ _without_nan(vectors[candidates]).T
            _follow(leaders[of_block], scores[of_block], candidates, found)
        within = block @ block.T
        for row in range(len(block)):
            if leaders[start + row] == start + row:
                later = slice(start + row + 1, start + len(block))
                _follow(leaders[later], scores[later], np.array([start + row]), within[row + 1 :, [row]])
        advance(len(block))
    scores[leaders == np.arange(len(vectors))] = np.nan
    return Duplicates(leaders, scores)


def _follow(
    leaders: NDArray[np.int64], scores: NDArray[np.float32], candidates: NDArray[np.int64], found: NDArray[np.float32]
) -> None:
    """Let rows repeat the most similar of `candidates` if that is nearer than what they repeat so far.

    `leaders` and `scores` are those of the rows, [rows], and are changed; `found` are similarities, [rows, candidates].
    """
    nearest = found.argmax(axis=1)
    similarity = found[np.arange(len(found)), nearest]
    closer = similarity >= scores
    leaders[closer] = candidates[nearest[closer]]
    scores[closer] = similarity[closer]


def _without_nan(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `rows` with zeros for those with NaN in them: they are like nothing."""
    return np.where(np.isnan(rows).any(axis=1, keepdims=True), np.float32(0), rows)
