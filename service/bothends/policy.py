"""Which waiting sentences run together: lengths in, a choice out. Pure; knows neither queue nor engine.

A run costs about longest · (overhead + rows): each step of the recurrence costs as much as `overhead` rows besides its
rows, and padding is paid in full. So the best company is of like length, and none is better than far.
"""

from collections.abc import Sequence


def choose(lengths: Sequence[int], *, must: int, max_rows: int, max_tokens: int, overhead_rows: float) -> list[int]:
    """Places in `lengths` of the batch that costs least a token among those that hold place `must`.

    At most `max_rows` places, and rows · longest at most `max_tokens` unless `must` alone is over it. The batch is a
    run of the lengths in order, so every place in it is nearer to its mates than any place left out.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    at = order.index(must)
    best, best_cost = (at, at + 1), (overhead_rows + 1) * lengths[must] / lengths[must]
    for first in range(max(0, at - max_rows + 1), at + 1):
        tokens = sum(lengths[place] for place in order[first:at])
        for stop in range(at + 1, min(len(order), first + max_rows) + 1):
            longest, rows = lengths[order[stop - 1]], stop - first
            tokens += longest
            if rows > 1 and rows * longest > max_tokens:
                break
            cost = longest * (overhead_rows + rows) / tokens
            if cost < best_cost:
                best, best_cost = (first, stop), cost
    return order[best[0] : best[1]]
