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
    found = neighbourhoods(vectors, 16, seed=0).numbers
    assert (found.shape, found.dtype) == ((240,), np.dtype(np.int64))
    assert set(found.tolist()) <= set(range(16))
    assert all(len(set(crowd[found == number].tolist())) == 1 for number in set(found.tolist()))


def test_neighbourhoods_know_how_far_they_are_apart() -> None:
    """Each is nearest to itself, then to those of its own crowd; a part of the vectors has the same ones."""
    vectors, crowd = crowds(4, 60)
    found = neighbourhoods(vectors, 16, seed=0)
    of_crowd = {int(number): int(crowd[found.numbers == number][0]) for number in set(found.numbers.tolist())}
    assert found.by_distance.shape == (16, 16)
    for number, crowd_of_it in of_crowd.items():
        others = [of_crowd[place] for place in found.by_distance[number].tolist() if place in of_crowd]
        own = others.count(crowd_of_it)
        assert found.by_distance[number][0] == number
        assert set(others[:own]) == {crowd_of_it}
    part = found.of(np.array([5, 3]))
    assert part.numbers.tolist() == found.numbers[[5, 3]].tolist()
    assert part.by_distance is found.by_distance
