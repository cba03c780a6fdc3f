"""Splits a list into ranges that are each small enough, by sizes that the caller gives."""

from collections.abc import Iterator, Sequence

WINDOW = 4096
"""Sentences that are sorted by length together. Fewer leave more padding; more gain little, and hold more in memory."""
WINDOW_CHARS = 4 << 20


def chunks(sizes: Sequence[int], *, max_count: int, max_size: int) -> Iterator[tuple[int, int]]:
    """Yield ranges (start, stop) of at most `max_count` items whose sizes add up to at most `max_size`.

    A larger item is a range of its own. An empty list gives one empty range.
    """
    start = total = 0
    for index, size in enumerate(sizes):
        if index > start and (index - start == max_count or total + size > max_size):
            yield start, index
            start, total = index, 0
        total += size
    yield start, len(sizes)
