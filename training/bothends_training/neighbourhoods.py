"""Groups vectors into neighbourhoods, by spherical k-means."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .vectors import Vectors

SAMPLE = 50_000
"""Vectors from which the centres are found."""
CHUNK = 50_000
"""Vectors that are compared with the centres at a time."""
_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Neighbourhoods:
    """Neighbourhoods of vectors, and how they lie to each other."""

    numbers: NDArray[np.int64]
    """Number of each vector's neighbourhood, int64 [vectors]."""
    by_distance: NDArray[np.int64]
    """Numbers of all of them from each one, the nearest (itself) first, int64 [neighbourhoods, neighbourhoods]."""

    def of(self, vectors: slice | NDArray[np.int64]) -> "Neighbourhoods":
        """Return the neighbourhoods of these vectors alone."""
        return replace(self, numbers=self.numbers[vectors])


def neighbourhoods(
    vectors: Vectors, count: int, *, seed: int, sample_size: int = SAMPLE, chunk: int = CHUNK
) -> Neighbourhoods:
    """Return `count` neighbourhoods, or as many as there are vectors: a vector is of the one whose centre has the
    highest cosine to it.

    The centres are computed from `sample_size` vectors, starting at the first of them (Dhillon and Modha, "Concept
    Decompositions for Large Sparse Text Data Using Clustering", Machine Learning 2001). The same seed gives the same
    neighbourhoods.
    """
    random = np.random.default_rng(seed)
    sample = vectors[random.permutation(len(vectors))[:sample_size]]
    centres = sample[:count]
    for _ in range(_ROUNDS):
        centres = _moved(centres, sample, _nearest(centres, sample))
    chunks = [slice(start, start + chunk) for start in range(0, len(vectors), chunk)]
    numbers = np.concatenate([_nearest(centres, vectors[rows]) for rows in chunks])
    return Neighbourhoods(numbers, np.argsort(-(centres @ centres.T), axis=1, kind="stable"))


def _nearest(centres: NDArray[np.float32], vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.asarray((vectors @ centres.T).argmax(axis=1), dtype=np.int64)


def _moved(
    centres: NDArray[np.float32], vectors: NDArray[np.float32], nearest: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Each centre where the mean of its vectors points; one that has none stays."""
    sums = np.zeros_like(centres)
    np.add.at(sums, nearest, vectors)
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.where(norms > 0, sums / np.maximum(norms, 1e-12), centres)
