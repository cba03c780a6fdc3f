"""Texts longer than the model reads, as pieces: where they are cut, and what row the rows of their pieces make.

native/transport/tokens.cpp cuts at the same places, and native/transport/shape.cpp makes the same bits.
"""

from collections.abc import Container, Sequence

import numpy as np
from numpy.typing import NDArray

from ..engines.contract import TokenIds
from ..options import at_unit_length

_PIECE = 64
"""Most tokens of a piece before its ends are moved: in longer ones a search found less (docs/encoder.md)."""
_SHIFTS = 8
"""A cut is moved to where a word begins by at most the size of a piece divided by this."""


def in_pieces(
    sentences: Sequence[TokenIds], *, max_tokens: int, continuing: Container[int]
) -> tuple[list[TokenIds], list[int] | None]:
    """Cut those of `sentences` with more than `max_tokens` tokens, and return all pieces in order, and the number of
    each sentence's; None if each is one. `continuing` tokens go on with a word.
    """
    pieces: list[TokenIds] = []
    counts = []
    for ids in sentences:
        ends = piece_ends(ids, max_tokens=max_tokens, continuing=continuing)
        pieces += [ids] if len(ends) == 1 else [ids[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        counts.append(len(ends))
    return pieces, counts if len(pieces) > len(sentences) else None


def piece_ends(ids: TokenIds, *, max_tokens: int, continuing: Container[int]) -> list[int]:
    """Return where each piece of a text ends: one if the model reads it at once, else pieces of equal sizes but for the
    words.

    A cut is moved back to the beginning of its word if that is near. A piece has one token to `max_tokens`.
    """
    size = len(ids)
    if size <= max_tokens:
        return [size]
    most = min(_PIECE, max_tokens - max_tokens // _SHIFTS)  # before a cut is moved
    shift = most // _SHIFTS
    count = -(-size // most)
    ends = []
    for index in range(1, count):
        even = size * index // count
        words = (end for end in range(even, even - shift - 1, -1) if ids[end] not in continuing)
        ends.append(next(words, even))
    return [*ends, size]


def mean_of_pieces(rows: NDArray[np.float32], counts: Sequence[int]) -> NDArray[np.float32]:
    """Return a row for each sentence, float32 [sentences, dimension], from those of their pieces, float32 [pieces,
    dimension], of which each sentence has so many of `counts`.

    A sentence of one piece has its row. Of others, all pieces count the same, since each is scaled to length 1; they
    are added from first to last, and the sum is scaled to length 1, which gives the mean's direction.
    """
    found = np.empty((len(counts), rows.shape[1]), np.float32)
    start = 0
    for index, count in enumerate(counts):
        of = rows[start : start + count]
        found[index] = of[0] if count == 1 else at_unit_length(_sum(at_unit_length(of)))[0]
        start += count
    return found


def _sum(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add up `rows` from first to last: float32 [1, dimension]. NumPy's own sums promise no order."""
    total = rows[:1].copy()
    for row in rows[1:]:
        total += row
    return total
