"""The order of batches: what an epoch uses, what a batch has in common, and that a seed decides it all."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bothends_training.batches import Numbers, batches
from bothends_training.errors import RecipeError
from bothends_training.neighbourhoods import Neighbourhoods
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
    return batches(lengths, groups, kinds, None if near is None else on_a_line(near), Batches(**plan), seed=seed)


def on_a_line(near: Numbers) -> Neighbourhoods:
    """Neighbourhoods with these numbers, that lie side by side in the order of their numbers."""
    places = np.arange(near.max() + 1)
    return Neighbourhoods(near, np.argsort(np.abs(places - places[:, np.newaxis]), axis=1, kind="stable"))


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


def test_a_batch_may_have_parts_from_near_and_far() -> None:
    """Its parts are of one neighbourhood, of one next to it, and of farther ones, as long as those have any left; it is
    whole and of one kind, and an epoch uses no sentence twice and leaves a rest of each neighbourhood.
    """
    random = np.random.default_rng(0)
    lengths, kinds, near = random.integers(1, 30, 6000), random.integers(0, 2, 6000), random.integers(0, 20, 6000)
    plan: dict[str, Any] = {"size": 32, "bucket": 50, "share": 1.0, "per_batch": 4}
    whole = sum(int((np.bincount(near[kinds == kind]) // 8).sum() // 4) for kind in (0, 1))
    epoch = list(itertools.islice(stream(lengths, kinds, near, **plan), whole))
    assert {batch.shape for batch in epoch} == {(32,)}
    assert all(len(set(kinds[batch].tolist())) == 1 for batch in epoch)
    rows = np.concatenate(epoch)
    assert len(set(rows.tolist())) == len(rows)
    parts = near[np.stack(epoch)].reshape(-1, 4, 8)
    assert (parts == parts[:, :, :1]).all()
    away = np.abs(parts[:, :, 0] - parts[:, :1, 0])
    assert (away[:, 0] == 0).all()
    assert (np.diff(np.median(away, axis=0)) > 0).all()
    assert np.median(away[:, 1]) <= 2
    assert np.median(away[:, 3]) >= 10
    assert np.mean([np.ptp(lengths[batch]) for batch in epoch]) < 15
    again = list(itertools.islice(stream(lengths, kinds, near, **plan), whole))
    assert all(np.array_equal(one, other) for one, other in zip(epoch, again, strict=True))


def test_neighbourhoods_that_fill_no_batch_each_fill_some_together() -> None:
    """Sixteen neighbourhoods of ten sentences are lost to batches of sixteen from one, and not to those from four."""
    near, lengths = np.repeat(np.arange(16), 10), np.ones(160, dtype=np.int64)
    with pytest.raises(RecipeError, match="no kind of sentence fills a batch of 16"):
        next(stream(lengths, None, near, size=16, share=1.0))
    joined = itertools.islice(stream(lengths, None, near, size=16, share=1.0, per_batch=4), 8)
    assert len({int(row) for batch in joined for row in batch}) == 8 * 16
