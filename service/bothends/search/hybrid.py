"""Search by meaning and by words together: each finds what the other misses, such as names, numbers and rare terms."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .exact import Hits, best, similarities
from .words import WordIndex


def standardised(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `scores`, float32 [rows], minus their mean and divided by their standard deviation.

    Scores of two kinds can then be added. NaN stays NaN and is ignored in the mean; scores that are all equal become 0.
    """
    usable = scores[~np.isnan(scores)]
    if not len(usable):
        return scores
    spread = usable.std()
    shifted: NDArray[np.float32] = (scores - usable.mean()) / (spread if spread > 0 else np.float32(1))
    return shifted


def hybrid(
    vectors: NDArray[np.float32],
    queries: NDArray[np.float32],
    words: WordIndex,
    texts: Sequence[str],
    *,
    top: int,
    pieces: NDArray[np.int64] | None = None,
) -> Hits:
    """Find the `top` rows by the sum of two standardised scores: their similarity, and BM25 over their words.

    `vectors` are float32 [rows, dimension], and `words` indexes the texts of the same rows; `queries` are float32
    [queries, dimension], and `texts` the queries' texts. A row with NaN in it is never found. `pieces` are those of
    `nearest`: then `words` indexes whole texts, and those are found. Both scores have the same weight: on the
    collections that docs/examples.md names, that beats either alone, and nothing was fitted to them. Raises ValueError
    if the rows aren't those of `pieces`.
    """
    found = [
        best(standardised(similarities(vectors, query, pieces=pieces)) + standardised(words.scores(text)), top)
        for query, text in zip(queries, texts, strict=True)
    ]
    if not found:
        return Hits(np.empty((0, 0), np.int64), np.empty((0, 0), np.float32))
    return Hits(np.stack([rows for rows, _ in found]), np.stack([scores for _, scores in found]))
