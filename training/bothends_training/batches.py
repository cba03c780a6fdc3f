"""Makes an endless, seeded sequence of batches from the lengths and kinds of sentences."""

from collections.abc import Iterator
from itertools import count

import numpy as np
from numpy.typing import NDArray

from .errors import RecipeError
from .neighbourhoods import Neighbourhoods
from .recipe import Batches

Numbers = NDArray[np.int64]
"""One number for each sentence, int64 [sentences], or the numbers of some sentences."""


def batches(
    lengths: Numbers, groups: Numbers, kinds: Numbers, near: Neighbourhoods | None, plan: Batches, *, seed: int
) -> Iterator[Numbers]:
    """Yield batches of sentence numbers without end, int64 [plan.size], each of one kind. The seed determines them.

    `lengths`, `groups`, `kinds` and `near` have one number for each sentence, int64 [sentences]: its tokens, its group,
    its source's kind, its neighbourhood (None where there are no neighbourhoods). Each epoch is shuffled anew, and
    `plan.share` of its sentences go into batches from one neighbourhood, or from `plan.per_batch` of them. Sentences
    are sorted by length inside buckets of `plan.bucket` batches, and the batches shuffled again. A group (neighbouring
    sentences with one number in `groups`, which is ascending) stays together, with the length and neighbourhood of its
    first sentence, unless the end of a batch, or of a neighbourhood's part of one, splits it. An epoch uses no sentence
    twice, and of each kind (in each neighbourhood) all except a remainder of less than a batch, or part of one. Raises
    RecipeError if no kind fills a batch.
    """
    size = min(plan.size, len(lengths))
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    lengths = lengths[first][group]
    if near is not None:
        near = near.of(first[group])
    for epoch in count():
        random = np.random.default_rng((seed, epoch))
        order = np.argsort(random.permutation(len(first))[group], kind="stable")
        apart = round(plan.share * len(order)) if near is not None else 0
        found = [batch for pool in _pools(order[apart:], kinds) for batch in _of_like_length(pool, lengths, size, plan)]
        if near is not None:
            for pool in _pools(order[:apart], kinds):
                found += _neighbours(pool, lengths, near, size, plan, random)
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


def _of_like_length(pool: Numbers, lengths: Numbers, size: int, plan: Batches) -> Iterator[Numbers]:
    """Batches of neighbours by length. The rest is left out before the sorting, or it would always be the longest."""
    pool = pool[: len(pool) // size * size]
    for start in range(0, len(pool), size * plan.bucket):
        bucket = pool[start : start + size * plan.bucket]
        yield from bucket[np.argsort(lengths[bucket], kind="stable")].reshape(-1, size)


def _neighbours(
    pool: Numbers, lengths: Numbers, near: Neighbourhoods, size: int, plan: Batches, random: np.random.Generator
) -> Iterator[Numbers]:
    """Batches of one neighbourhood, or of parts from several."""
    parts = [
        part
        for members in _pools(pool, near.numbers)
        for part in _of_like_length(members, lengths, size // plan.per_batch, plan)
    ]
    return iter(parts) if plan.per_batch == 1 else _joined(parts, near, plan.per_batch, random)


def _joined(parts: list[Numbers], near: Neighbourhoods, count: int, random: np.random.Generator) -> Iterator[Numbers]:
    """Batches of `count` parts: one of any neighbourhood, the others from ever farther ones, whose ranks by distance
    are spaced evenly on a logarithmic scale, as far as their parts go.
    """
    left: list[list[Numbers]] = [[] for _ in near.by_distance]
    for part in parts:
        left[near.numbers[part[0]]].append(part)
    counts = np.array([len(members) for members in left])
    for home in random.permutation(np.repeat(np.arange(len(left)), counts)):
        if not counts[home] or counts.sum() < count:
            continue  # its parts are in others' batches, or what is left fills none
        chosen = []
        for share in np.linspace(0, 1, count):
            with_any = near.by_distance[home][counts[near.by_distance[home]] > 0]
            place = with_any[int(len(with_any) ** share) - 1]
            counts[place] -= 1
            chosen.append(left[place].pop())  # the longest, so that a batch's parts are of like length
        yield np.concatenate(chosen)
