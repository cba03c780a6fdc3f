"""Choice of the sentences that run together."""

from hypothesis import given
from hypothesis import strategies as st

from bothends.batching.choose import choose

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=64)


def chosen(lengths: list[int], *, overhead: float = 1.5) -> list[int]:
    places = choose(lengths, max_rows=8, max_tokens=1000, overhead_rows=overhead)
    return sorted(lengths[place] for place in places)


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
    longest = max(lengths[place] for place in places)
    shortest = min(lengths[place] for place in places)
    assert 0 in places
    assert len(set(places)) == len(places) <= max_rows
    assert len(places) == 1 or longest * len(places) <= max_tokens
    left_out = [length for place, length in enumerate(lengths) if place not in places]
    assert not any(shortest < length < longest for length in left_out)


@given(LENGTHS)
def test_it_never_costs_more_than_going_alone(lengths: list[int]) -> None:
    """Cost a token of the choice is at most that of the sentence by itself."""
    batch = chosen(lengths)
    assert max(batch) * (1.5 + len(batch)) / sum(batch) <= 2.5
