"""Makes an endless, seeded sequence of batches from the lengths and kinds of sentences."""

from collections.abc import Iterator
from itertools import count

import numpy as np
from numpy.typing import NDArray

from .errors import RecipeError
from .recipe import Batches

Numbers = NDArray[np.int64]
"""One number for each sentence, int64 [sentences], or the numbers of some sentences."""


def batches(
    lengths: Numbers, groups: Numbers, kinds: Numbers, neighbourhoods: Numbers | None, plan: Batches, *, seed: int
) -> Iterator[Numbers]:
    """Yield batches of sentence numbers without end, int64 [plan.size], each of one kind. The seed determines them.

    `lengths`, `groups`, `kinds` and `neighbourhoods` have one number for each sentence, int64 [sentences]: its tokens,
    its group, its source's kind, its cluster (None where there are no clusters). Each epoch is shuffled anew, and
    `plan.share` of its sentences go into batches from one neighbourhood. Sentences are sorted by length inside buckets
    of `plan.bucket` batches, and the batches shuffled again. A group (neighbouring
    sentences with one number in `groups`, which is ascending) stays together, with the length and neighbourhood of its
    first sentence, unless the end of a batch splits it. An epoch uses no sentence twice, and of each kind (in each
    neighbourhood) all except a remainder of less than a batch. Raises RecipeError if no kind fills a batch.
    """
    size = min(plan.size, len(lengths))
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    lengths = lengths[first][group]
    if neighbourhoods is not None:
        neighbourhoods = neighbourhoods[first][group]
    for epoch in count():
        random = np.random.default_rng((seed, epoch))
        order = np.argsort(random.permutation(len(first))[group], kind="stable")
        pools = _pools(order, kinds)
        if neighbourhoods is not None:
            near, far = np.split(order, [round(plan.share * len(order))])
            pools = _pools(far, kinds) + _pools(near, kinds * (neighbourhoods.max() + 1) + neighbourhoods)
        found = [batch for pool in pools for batch in _of_like_length(pool, lengths, size, size * plan.bucket)]
        if not found:
            raise RecipeError(f"batches.size: no kind of sentence fills a batch of {size}")
        for number in random.permutation(len(found)):
            yield found[number]


def interleaved(common: Iterator[Numbers], others: Iterator[Numbers], share: float) -> Iterator[Numbers]:
    """Yield batches from two iterators, evenly mixed: of any first n, floor(n · share) are from `others`, the rest from
    `common`. `share` is a number from 0 to 1.
    """
    for number in count(1):
        yield next(others if int(number * share) > int((number - 1) * share) else common)


def _pools(order: Numbers, kinds: Numbers) -> list[Numbers]:
    """The members of each kind, in their order."""
    kinds = kinds[order]
    sorting = np.argsort(kinds, kind="stable")
    return np.split(order[sorting], np.flatnonzero(np.diff(kinds[sorting])) + 1)


def _of_like_length(pool: Numbers, lengths: Numbers, size: int, bucket_size: int) -> Iterator[Numbers]:
    """Batches of neighbours by length. The rest is left out before the sorting, or it would always be the longest."""
    pool = pool[: len(pool) // size * size]
    for start in range(0, len(pool), bucket_size):
        bucket = pool[start : start + bucket_size]
        yield from bucket[np.argsort(lengths[bucket], kind="stable")].reshape(-1, size)
