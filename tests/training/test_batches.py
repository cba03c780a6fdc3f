"""The order of batches: what an epoch uses, what a batch has in common, and that a seed decides it all."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bothends_training.batches import Numbers, batches, interleaved
from bothends_training.errors import RecipeError
from bothends_training.recipe import Batches


def stream(
    lengths: Numbers,
    kinds: Numbers | None = None,
    near: Numbers | None = None,
    *,
    groups: Numbers | None = None,
    seed: int = 0,
    **plan: Any,
) -> Iterator[Numbers]:
    groups = np.arange(len(lengths)) if groups is None else groups
    kinds = np.zeros_like(lengths) if kinds is None else kinds
    return batches(lengths, groups, kinds, near, Batches(**plan), seed=seed)


def epochs(found: Iterator[Numbers], kinds: Numbers, size: int) -> Iterator[list[Numbers]]:
    """The stream an epoch at a time: of each kind only a rest of less than a batch is left over in each."""
    whole = sum(int(members) // min(size, len(kinds)) for members in np.bincount(kinds))
    while True:
        yield list(itertools.islice(found, whole))


@st.composite
def corpora(draw: st.DrawFn) -> tuple[Numbers, Numbers]:
    """Lengths and kinds of 2 to 80 sentences; one kind at least fills a batch of 20."""
    count = draw(st.integers(2, 80))
    kinds = draw(st.lists(st.integers(0, 2), min_size=count, max_size=count).map(np.array))
    kinds[: min(count, 20)] = 0
    return draw(st.lists(st.integers(1, 30), min_size=count, max_size=count).map(np.array)), kinds


any_plan = {"corpus": corpora(), "size": st.integers(2, 20), "bucket": st.integers(1, 5), "seed": st.integers(0, 2**32)}


@given(**any_plan)
def test_an_epoch_uses_no_sentence_twice(corpus: tuple[Numbers, Numbers], size: int, bucket: int, seed: int) -> None:
    """Every batch is whole and of one kind, no sentence comes twice, and less than a batch of each is left over."""
    lengths, kinds = corpus
    found = stream(lengths, kinds, size=size, bucket=bucket, seed=seed)
    size = min(size, len(lengths))
    for epoch in itertools.islice(epochs(found, kinds, size), 3):
        assert {batch.shape for batch in epoch} == {(size,)}
        assert all(len(set(kinds[batch].tolist())) == 1 for batch in epoch)
        rows = np.concatenate(epoch)
        assert len(set(rows.tolist())) == len(rows)
        assert (np.bincount(kinds) - np.bincount(kinds[rows], minlength=kinds.max() + 1) < size).all()


@given(corpora(), st.integers(2, 20), st.integers(0, 2**32))
def test_batches_of_a_bucket_are_of_like_length(corpus: tuple[Numbers, Numbers], size: int, seed: int) -> None:
    """The batches of one kind, where they are one bucket, follow one another: none begins below the end of another."""
    lengths, kinds = corpus
    epoch = next(epochs(stream(lengths, kinds, size=size, bucket=80, seed=seed), kinds, size))
    for kind in set(kinds.tolist()):
        of_kind = [lengths[batch] for batch in epoch if kinds[batch[0]] == kind]
        ranges = sorted((batch.min(), batch.max()) for batch in of_kind)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(ranges))


def test_sorting_saves_padding_and_the_order_of_lengths_is_shuffled() -> None:
    """Bucketed batches hold far less padding than batches as drawn, yet short ones don't always come first."""
    lengths = np.random.default_rng(0).integers(1, 40, size=640)
    epoch = list(itertools.islice(stream(lengths, size=16, bucket=40), 40))
    padding = sum(int((lengths[batch].max() - lengths[batch]).sum()) for batch in epoch)
    drawn = sum(int((chunk.max() - chunk).sum()) for chunk in lengths.reshape(-1, 16))
    assert padding < drawn / 5
    longest = [int(lengths[batch].max()) for batch in epoch]
    assert longest not in (sorted(longest), sorted(longest, reverse=True))


def test_no_length_is_left_out_more_than_another() -> None:
    """The rest that fills no batch is any, not the longest: over epochs every sentence has its turn."""
    lengths = np.arange(1, 48)
    seen = np.concatenate(list(itertools.islice(stream(lengths, size=16, bucket=50), 2 * 30)))
    assert set(seen.tolist()) == set(range(47))


def test_the_seed_decides_the_batches() -> None:
    """The same seed gives the same batches, which is what lets a run go on; another seed gives others."""
    one, same, other = (
        [batch.tolist() for batch in itertools.islice(stream(np.arange(1, 101), size=8, bucket=3, seed=s), 30)]
        for s in (5, 5, 6)
    )
    assert one == same
    assert one != other


def test_every_epoch_has_its_own_order() -> None:
    """Batches of the next epoch are others, not just the same ones in another order: sentences meet new ones."""
    found = stream(np.ones(96, dtype=np.int64), size=8, bucket=3)
    first, second = itertools.islice(epochs(found, np.zeros(96, dtype=np.int64), 8), 2)
    assert {frozenset(batch.tolist()) for batch in first}.isdisjoint(frozenset(batch.tolist()) for batch in second)
    assert set(np.concatenate(first).tolist()) == set(np.concatenate(second).tolist())


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_share_of_batches_is_of_one_neighbourhood(share: float) -> None:
    """Batches of groups are of one kind too, and of like length; every epoch other sentences are in them."""
    random = np.random.default_rng(0)
    lengths, kinds, near = random.integers(1, 30, 4000), random.integers(0, 2, 4000), random.integers(0, 5, 4000)
    found = list(itertools.islice(stream(lengths, kinds, near, size=16, bucket=50, share=share), 2 * 225))
    together = [len(set(near[batch].tolist())) == 1 for batch in found]
    assert np.mean(together) == pytest.approx(share, abs=0.05)
    assert all(len(set(kinds[batch].tolist())) == 1 for batch in found)
    assert np.mean([np.ptp(lengths[batch]) for batch in found]) < 4
    first, second = (
        {frozenset(found[n].tolist()) for n in part if together[n]} for part in (range(225), range(225, 450))
    )
    assert first.isdisjoint(second)


def test_kinds_too_small_for_a_batch_are_refused() -> None:
    """Kinds that can't fill a batch are an error, rather than looked for in epoch after epoch."""
    kinds: NDArray[np.int64] = np.arange(40) % 10
    with pytest.raises(RecipeError, match="no kind of sentence fills a batch of 8"):
        next(stream(np.ones(40, dtype=np.int64), kinds, size=8))


@pytest.mark.parametrize("neighbours", [False, True])
def test_a_group_stays_together(neighbours: bool) -> None:
    """Groups are parted by the end of a batch or of `share` at most, whatever their members' lengths and places."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(400), random.integers(1, 4, size=400))
    lengths = random.integers(1, 40, size=len(groups))
    near = random.integers(0, 2, size=len(groups)) if neighbours else None
    size, parted = 16, 0
    epoch = list(itertools.islice(stream(lengths, None, near, groups=groups, size=size, bucket=4), 40))
    for batch in epoch:
        inside = np.bincount(groups[batch], minlength=400)
        parted += int(((inside > 0) & (inside < np.bincount(groups))).sum())
        runs = 1 + np.count_nonzero(np.diff(groups[batch]))
        assert runs == len(set(groups[batch].tolist())), "a group's members are side by side"
    assert len({int(row) for batch in epoch for row in batch}) == 40 * size
    assert parted <= 2 * len(epoch) + 8


def test_two_kinds_of_batches_are_interleaved_evenly() -> None:
    """Of any first n batches, a share rounded down is of the second kind, and both come in their order."""
    common, others = (iter([np.array([start + step]) for step in range(1000)]) for start in (0, 1000))
    found = [int(rows[0]) for rows in itertools.islice(interleaved(common, others, 0.3), 100)]
    for count in range(1, 101):
        assert sum(row >= 1000 for row in found[:count]) == int(count * 0.3)
    assert [row for row in found if row < 1000] == list(range(70))
    assert [row for row in found if row >= 1000] == list(range(1000, 1030))
