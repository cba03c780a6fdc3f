"""Embeddings, joined, split, cut to size and warned about."""

import numpy as np
import pytest

from bothends.embeddings import Embeddings, TruncationWarning, joined, nested, rows_or_warning


def test_nested_numbers_come_from_both_ends() -> None:
    """The first numbers of each half are joined in their order; all of them are the embedding itself."""
    rows = np.arange(12, dtype=np.float32).reshape(2, 6)
    assert nested(rows, 2).tolist() == [[0, 3], [6, 9]]
    assert nested(rows, 4).tolist() == [[0, 1, 3, 4], [6, 7, 9, 10]]
    np.testing.assert_array_equal(nested(rows, 6), rows)


@pytest.mark.parametrize("size", [-2, 0, 3, 8])
def test_a_size_that_is_not_within_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"size {size} is not an even number from 2 to 6"):
        nested(np.zeros((1, 6), dtype=np.float32), size)


def embeddings(first: int, *, scales: bool = False) -> Embeddings:
    """Two sentences whose numbers begin at `first`; the second one was cut."""
    rows = np.arange(first, first + 4, dtype=np.int8 if scales else np.float32).reshape(2, 2)
    factors = np.array([first, first + 1], dtype=np.float32) if scales else None
    return Embeddings(rows, [3, 40], [False, True], "1.0", factors)


@pytest.mark.parametrize("scales", [False, True])
def test_parts_are_joined_in_order(scales: bool) -> None:
    """Rows, counts, marks and scales stay side by side."""
    whole = joined([embeddings(0, scales=scales), embeddings(4, scales=scales)])
    assert whole.rows.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert whole.rows.dtype == (np.int8 if scales else np.float32)
    assert (whole.token_counts, whole.truncated) == ([3, 40, 3, 40], [False, True] * 2)
    assert (
        (whole.scales is None) if not scales else (whole.scales is not None and whole.scales.tolist() == [0, 1, 4, 5])
    )


def test_each_sentence_has_numbers_of_its_own() -> None:
    """A caller that keeps one sentence's row doesn't keep those of all others in memory."""
    whole = embeddings(0, scales=True)
    first, second = whole.each()
    assert [first.row.tolist(), first.scale, first.token_count, first.truncated] == [[0, 1], 0, 3, False]
    assert [second.row.tolist(), second.scale, second.token_count, second.truncated] == [[2, 3], 1, 40, True]
    assert not np.shares_memory(first.row, whole.rows)


def test_cut_sentences_are_counted_in_a_warning() -> None:
    with pytest.warns(TruncationWarning, match="1 of 2 sentences are longer"):
        assert rows_or_warning(embeddings(0)).shape == (2, 2)
