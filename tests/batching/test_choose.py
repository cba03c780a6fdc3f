"""Choice of the sentences that run together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bothends.batching.choose import choose, split

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=64)


def chosen(lengths: list[int], *, overhead: float = 1.5) -> list[int]:
    places = choose(lengths, max_rows=8, max_tokens=1000, overhead_rows=overhead)
    return sorted(lengths[index] for index in places)


def parts(lengths: list[int], *, rows: int = 16, tokens: int = 1000, overhead: float = 1.5) -> list[list[int]]:
    batches = split(np.array(lengths), max_rows=rows, max_tokens=tokens, overhead_rows=overhead)
    return [[lengths[index] for index in batch.tolist()] for batch in batches]


def test_like_lengths_go_together() -> None:
    assert chosen([10, 50, 10, 51, 10, 49, 11]) == [10, 10, 10, 11]


def test_a_sentence_without_its_like_goes_alone() -> None:
    """Padding seven short sentences to a long one costs more than running it by itself."""
    assert chosen([60, 3, 3, 3, 3, 3, 3, 3]) == [60]


def test_a_little_padding_is_worth_a_full_batch() -> None:
    """A step's overhead is shared by its rows: neighbours join."""
    assert chosen([20, 19, 20, 18, 20, 19, 20, 20]) == [18, 19, 19, 20, 20, 20, 20, 20]


def test_where_rows_are_free_batches_are_wide() -> None:
    """Any company is good on a device whose steps cost the same whatever their rows."""
    assert len(chosen([60, 3, 3, 3, 3, 3, 3, 3], overhead=1000.0)) == 8


@given(LENGTHS, st.integers(1, 8), st.integers(1, 200), st.floats(0, 100))
def test_budgets_hold_and_the_one_whose_turn_it_is_runs(
    lengths: list[int], max_rows: int, max_tokens: int, overhead: float
) -> None:
    """A choice holds the first, no place twice, is over no budget unless alone, and leaves out none that is nearer."""
    places = choose(lengths, max_rows=max_rows, max_tokens=max_tokens, overhead_rows=overhead)
    longest = max(lengths[index] for index in places)
    shortest = min(lengths[index] for index in places)
    assert 0 in places
    assert len(set(places)) == len(places) <= max_rows
    assert len(places) == 1 or longest * len(places) <= max_tokens
    left_out = [length for index, length in enumerate(lengths) if index not in places]
    assert not any(shortest < length < longest for length in left_out)


@given(LENGTHS)
def test_it_never_costs_more_than_going_alone(lengths: list[int]) -> None:
    """Cost a token of the choice is at most that of the sentence by itself."""
    batch = chosen(lengths)
    assert max(batch) * (1.5 + len(batch)) / sum(batch) <= 2.5


def test_a_list_is_cut_where_its_lengths_leap() -> None:
    assert parts([3, 60, 4, 58, 3, 59]) == [[60, 59, 58], [4, 3, 3]]


def test_what_is_of_like_length_stays_together_as_it_stands() -> None:
    assert parts([10, 12, 11, 12]) == [[10, 12, 11, 12]]


def test_where_rows_are_free_a_list_stays_together() -> None:
    assert len(parts([60, 3, 3, 3, 3, 3, 3, 3], overhead=1000.0)) == 1


@given(LENGTHS, st.integers(1, 8), st.integers(1, 200), st.floats(0, 100))
def test_a_split_holds_each_once_within_budgets_and_costs_no_more(
    lengths: list[int], max_rows: int, max_tokens: int, overhead: float
) -> None:
    """Every place stands in one batch, and no batch of several is over a budget; without budgets none is dearer."""

    def cost(batches: list[list[int]]) -> float:
        return sum(max(batch) * (overhead + len(batch)) for batch in batches)

    batches = split(np.array(lengths), max_rows=max_rows, max_tokens=max_tokens, overhead_rows=overhead)
    assert sorted(index for batch in batches for index in batch.tolist()) == list(range(len(lengths)))
    for batch in parts(lengths, rows=max_rows, tokens=max_tokens, overhead=overhead):
        assert len(batch) == 1 or (len(batch) <= max_rows and max(batch) * len(batch) <= max_tokens)
    free = parts(lengths, rows=len(lengths), tokens=max(lengths) * len(lengths), overhead=overhead)
    assert cost(free) <= cost([lengths]) * (1 + 1e-9)
