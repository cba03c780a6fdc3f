"""What is done with embeddings once they are there."""

import numpy as np
import pytest

from bothends import nested


def test_nested_numbers_come_from_both_ends() -> None:
    """The first of each half, joined in their order; all of them are the embedding itself."""
    rows = np.arange(12, dtype=np.float32).reshape(2, 6)
    assert nested(rows, 2).tolist() == [[0, 3], [6, 9]]
    assert nested(rows, 4).tolist() == [[0, 1, 3, 4], [6, 7, 9, 10]]
    np.testing.assert_array_equal(nested(rows, 6), rows)


@pytest.mark.parametrize("size", [-2, 0, 3, 8])
def test_a_size_that_is_not_within_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"size {size} is not an even number from 2 to 6"):
        nested(np.zeros((1, 6), dtype=np.float32), size)
