"""Sentences as arrays."""

import numpy as np
import pytest

from bothends.engines.arrays import flat, pad, pick

SENTENCES = [[1, 2, 3], [4], [5, 6]]


def test_flat_sentences_stand_after_each_other() -> None:
    ids, offsets = flat(SENTENCES)
    assert (ids.dtype, ids.tolist()) == (np.dtype(np.int32), [1, 2, 3, 4, 5, 6])
    assert (offsets.dtype, offsets.tolist()) == (np.dtype(np.int64), [0, 3, 4, 6])
    assert [array.tolist() for array in flat([])] == [[], [0]]


def test_padded_sentences_are_filled_up_with_zeros() -> None:
    ids, lengths = pad(*flat(SENTENCES))
    assert (ids.dtype, ids.tolist()) == (np.dtype(np.int64), [[1, 2, 3], [4, 0, 0], [5, 6, 0]])
    assert (lengths.dtype, lengths.tolist()) == (np.dtype(np.int32), [3, 1, 2])


def test_an_empty_sentence_is_not_padded() -> None:
    with pytest.raises(ValueError, match="without tokens"):
        pad(*flat([[1], []]))


def test_some_sentences_are_picked_in_the_order_asked_for() -> None:
    ids, offsets = pick(*flat(SENTENCES), np.array([2, 0]))
    assert (ids.dtype, ids.tolist()) == (np.dtype(np.int32), [5, 6, 1, 2, 3])
    assert (offsets.dtype, offsets.tolist()) == (np.dtype(np.int64), [0, 2, 5])
