"""Neighbourhoods: vectors that point the same way are together, the same ones for the same seed."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from bothends_training import neighbourhoods as module
from bothends_training.vectors import Vectors


def crowds(count: int, members: int) -> tuple[Vectors, NDArray[np.int64]]:
    """Return unit vectors around `count` directions, shuffled, and the crowd that each is of."""
    random = np.random.default_rng(0)
    crowd = random.permutation(np.repeat(np.arange(count), members))
    vectors = np.eye(count, 12)[crowd] + 0.1 * random.standard_normal((len(crowd), 12))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = random.permutation(len(crowd))
    kept = np.empty((len(crowd), 12), dtype=np.float16)
    kept[rows] = vectors
    return Vectors(kept, rows), crowd


neighbourhoods = partial(module.neighbourhoods, sample_size=150, chunk=70)
"""Neighbourhoods by a sample that leaves vectors out, assigned in several chunks."""


def test_those_that_point_the_same_way_are_together() -> None:
    """More centres than crowds: no neighbourhood holds members of two, whatever the sample left out."""
    vectors, crowd = crowds(4, 60)
    found = neighbourhoods(vectors, 16, seed=0)
    assert (found.shape, found.dtype) == ((240,), np.int64)
    assert set(found.tolist()) <= set(range(16))
    assert all(len(set(crowd[found == number].tolist())) == 1 for number in set(found.tolist()))


def test_each_vector_is_where_its_like_are() -> None:
    """Every vector is nearest to the mean direction of its own neighbourhood after the rounds, but for a few."""
    random = np.random.default_rng(1)
    unit = random.standard_normal((150, 12))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    vectors = Vectors(unit.astype(np.float16), np.arange(150))
    found = neighbourhoods(vectors, 5, seed=0)
    means = np.stack([unit[found == number].sum(axis=0) for number in range(5)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    assert ((unit @ means.T).argmax(axis=1) == found).mean() > 0.95


def test_the_seed_decides() -> None:
    """A resumed run needs the same neighbourhoods again."""
    vectors, _ = crowds(4, 60)
    one, same, other = (neighbourhoods(vectors, 8, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
