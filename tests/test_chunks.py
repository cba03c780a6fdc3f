"""Ranges of a long list: whole, in order, and each within its bounds."""

from hypothesis import given
from hypothesis import strategies as st

from bothends.chunks import chunks


@given(st.lists(st.integers(0, 50)), st.integers(1, 8), st.integers(1, 100))
def test_ranges_cover_the_list_within_their_bounds(sizes: list[int], most: int, max_size: int) -> None:
    """Every item is in one range; a range is over `max_size` only where it is one item."""
    ranges = list(chunks(sizes, max_count=most, max_size=max_size))
    assert [index for start, stop in ranges for index in range(start, stop)] == list(range(len(sizes)))
    assert all(stop - start <= most for start, stop in ranges)
    assert all(stop - start == 1 or sum(sizes[start:stop]) <= max_size for start, stop in ranges if stop > start)


def test_an_empty_list_is_one_empty_range() -> None:
    assert list(chunks([], max_count=3, max_size=10)) == [(0, 0)]


def test_an_item_over_the_size_goes_alone() -> None:
    assert list(chunks([1, 99, 1, 1], max_count=9, max_size=10)) == [(0, 1), (1, 2), (2, 4)]
