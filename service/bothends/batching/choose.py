"""Chooses which of the waiting sentences run together, from their lengths alone.

A run of an engine that pads costs about longest · (overhead + rows): each step of the recurrence costs as much as
`overhead` rows besides its rows, and padding is paid in full. So the best company is of like length, and none is better
than far. Without padding it costs longest · overhead + tokens, and any company helps.
"""

from collections.abc import Sequence
from math import inf

import numpy as np
from numpy.typing import NDArray


def choose(
    lengths: Sequence[int], *, max_rows: int, max_tokens: int, overhead_rows: float, pads: bool = True
) -> list[int]:
    """Choose the batch of the first sentence: those nearest in length, as long as each makes a token cheaper.

    Returns places in `lengths`: at most `max_rows` of them, and at most `max_tokens` tokens, padding included where the
    engine `pads`, unless the first alone is over it. No place left out is nearer to the first in length, on its side,
    than one in the batch. (Looking at all runs of lengths finds batches no cheaper over time, at 20 times the cost.)
    """

    def cost(rows: int, longest: int, tokens: int) -> float:
        """A token's share of the batch's cost."""
        computed = longest * rows if pads else tokens
        return (longest * overhead_rows + computed) / tokens if rows == 1 or computed <= max_tokens else inf

    if not pads and len(lengths) <= max_rows and sum(lengths) <= max_tokens:
        return list(range(len(lengths)))  # any company helps
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    first = order.index(0)
    stop = first + 1
    tokens = longest = lengths[0]
    now = cost(1, longest, tokens)
    while (rows := stop - first + 1) <= max_rows:
        shorter = lengths[order[first - 1]] if first else 0
        longer = lengths[order[stop]] if stop < len(order) else 0
        with_shorter = cost(rows, longest, tokens + shorter) if shorter else inf
        with_longer = cost(rows, longer, tokens + longer) if longer else inf
        if min(with_shorter, with_longer) >= now:
            break
        if with_shorter <= with_longer:
            first, tokens, now = first - 1, tokens + shorter, with_shorter
        else:
            stop, tokens, now, longest = stop + 1, tokens + longer, with_longer, longer
    return order[first:stop]


def split(
    lengths: NDArray[np.int64], *, max_rows: int, max_tokens: int, overhead_rows: float
) -> list[NDArray[np.int64]]:
    """Split sentences that are all to run now, of these lengths, into batches of an engine that pads.

    They are cut, longest first, where that saves the most padding for what the steps of one more run cost, and again
    until it saves nothing.

    Returns the places in `lengths` of each batch, longest first; those of a single batch are in the order given. None
    is over `max_rows` or `max_tokens`, padding included, unless one sentence alone is.
    """
    order = np.argsort(-lengths, kind="stable")
    found, left = [], [order]
    while left:
        batch = left.pop()
        ordered = lengths[batch]
        longest = int(ordered[0])
        fitting = max(1, min(max_rows, max_tokens // longest))
        later, after = ordered[1:], np.arange(len(batch) - 1, 0, -1)
        saved = (longest - later) * after - overhead_rows * later
        cut = int(saved.argmax()) + 1 if len(later) else 0
        if not cut or (saved[cut - 1] <= 0 and len(batch) <= fitting):
            found.append(batch)
        else:
            cut = cut if saved[cut - 1] > 0 else fitting
            left += (batch[cut:], batch[:cut])
    return found if len(found) > 1 else [np.arange(len(lengths))]
