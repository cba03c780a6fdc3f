"""Sentences as arrays: token ids concatenated, as native code takes them, or padded, as ONNX graphs take them."""

from collections.abc import Sequence
from itertools import accumulate, chain

import numpy as np
from numpy.typing import NDArray

from .contract import TokenIds


def flat(sentences: Sequence[TokenIds]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return token ids int32 of all sentences, concatenated, and offsets int64 [sentences + 1] of where each starts."""
    offsets = np.fromiter(accumulate(map(len, sentences), initial=0), dtype=np.int64, count=len(sentences) + 1)
    return np.fromiter(chain.from_iterable(sentences), dtype=np.int32, count=int(offsets[-1])), offsets


def pad(token_ids: NDArray[np.int32], offsets: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return token ids int64 [sentences, longest] padded with zeros, and lengths int32 [sentences], each at least 1.

    Needs at least one sentence. Raises ValueError for a sentence without tokens.
    """
    lengths = np.diff(offsets)
    if lengths.min() < 1:  # onnxruntime would answer a row of zeros
        raise ValueError("a sentence without tokens can't be embedded")
    longest = int(lengths.max())
    padded = np.zeros((len(lengths), longest), dtype=np.int64)
    padded[np.arange(longest) < lengths[:, np.newaxis]] = token_ids
    return padded, lengths.astype(np.int32)


def pick(
    token_ids: NDArray[np.int32], offsets: NDArray[np.int64], places: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the token ids and offsets of only the sentences at the indices `places`, in that order."""
    parts = [token_ids[offsets[index] : offsets[index + 1]] for index in places.tolist()]
    ends = np.concatenate(([0], np.cumsum(np.diff(offsets)[places])))
    return np.concatenate(parts), ends
