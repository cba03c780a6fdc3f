"""Chooses which of the waiting sentences run together, from their lengths alone.

With an engine that pads, a run costs about longest · (overhead + rows): each step of the recurrence costs as much as
`overhead` additional rows, and padding is paid for in full. So sentences of similar length run best together, and a
sentence is better left out than padded far. Without padding a run costs longest · overhead + tokens, so that any
further sentence makes it cheaper.
"""

from collections.abc import Sequence
from math import inf

import numpy as np
from numpy.typing import NDArray


def choose(
    lengths: Sequence[int], *, max_rows: int, max_tokens: int, overhead_rows: float, pads: bool = True
) -> list[int]:
    """Choose the batch of the first sentence: the sentences nearest to it in length, while each makes a token cheaper.

    Returns indices into `lengths`: at most `max_rows` of them, and at most `max_tokens` tokens (including padding if
    the engine `pads`), unless the first sentence alone has more. No sentence that is left out is nearer in length to
    the first, on its side, than one in the batch. (Looking at all runs of lengths finds batches no cheaper over time,
    at 20 times the cost.)
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
    """Split sentences that are all to run now, of these lengths, into batches for an engine that pads.

    A batch is cut in two, longest sentences first, where this saves more padding than the steps of one more run cost,
    and again until it saves nothing.

    Returns the indices into `lengths` of each batch, longest first; a single batch keeps the given order. No batch
    exceeds `max_rows` or `max_tokens`, including padding, unless a sentence alone does.
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
