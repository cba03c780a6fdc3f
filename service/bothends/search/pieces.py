"""Cuts long texts into pieces: one vector says little of what stands in a long text's middle, and a piece's says it."""

from collections.abc import Sequence
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

PIECE_WORDS = 30
"""Words of a piece, about: of the lengths that docs/examples.md shows, what finds most."""


def cut(text: str, words: int) -> list[str]:
    """Return the pieces of `text`, which are as equal as can be and have about `words` words; none if it would be one.

    A last piece that is short would be near to queries that have little to do with it.
    """
    said = text.split()
    count = round(len(said) / words)
    ends = [len(said) * place // count for place in range(count + 1)] if count > 1 else []
    return [" ".join(said[start:stop]) for start, stop in pairwise(ends)]


def in_pieces(texts: Sequence[str], *, words: int = PIECE_WORDS) -> tuple[list[str], NDArray[np.int64]]:
    """Return the rows to embed for a search in `texts`, and which of them are the pieces of which text.

    The rows are the texts themselves, then the pieces, of about `words` words, of those that are longer. The second
    value, int64 [texts + 1], is what `nearest`, `similarities` and `hybrid` take as `pieces`: those of text i are the
    rows from pieces[i] up to pieces[i + 1]. Raises ValueError if `words` is below 1.
    """
    if words < 1:
        raise ValueError(f"words is {words}; a piece has at least one")
    found = [cut(text, words) for text in texts]
    return [*texts, *chain.from_iterable(found)], piece_starts([len(each) for each in found])


def piece_starts(counts: Sequence[int]) -> NDArray[np.int64]:
    """Return where the pieces of each text begin, int64 [texts + 1], if texts have `counts` of them."""
    return len(counts) + np.cumsum([0, *counts], dtype=np.int64)
