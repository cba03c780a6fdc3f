"""Splits a long list into ranges that are each small enough, by sizes that the caller gives."""

from collections.abc import Iterator, Sequence

WINDOW = 4096
"""Sentences that are sorted by length together. Fewer leave more padding; more gain little, and hold more in memory."""
WINDOW_CHARS = 4 << 20


def chunks(sizes: Sequence[int], *, most: int, max_size: int) -> Iterator[tuple[int, int]]:
    """Ranges of at most `most` items and `max_size` of their sizes, or of one item; one empty range for none."""
    start = total = 0
    for index, size in enumerate(sizes):
        if index > start and (index - start == most or total + size > max_size):
            yield start, index
            start, total = index, 0
        total += size
    yield start, len(sizes)
