"""search/duplicates.py: rows repeat the most similar earlier row that stays, however many are compared at once."""

import numpy as np
import pytest

from bothends.search import duplicates, near_duplicates

from .arrays import unit


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_blocks_change_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "BLOCK", block)
    rows = unit(200, 3)
    expected: list[int] = []
    for row in range(len(rows)):
        stay = [other for other in range(row) if expected[other] == other]
        nearest = max(stay, key=lambda other: rows[other] @ rows[row], default=row)
        expected.append(nearest if rows[nearest] @ rows[row] >= 0.95 else row)
    advanced: list[int] = []
    found = near_duplicates(rows, threshold=0.95, advance=advanced.append)
    assert found.leaders.tolist() == expected
    assert sum(advanced) == 200
    assert 20 < len(found.unique) < 180
    went = found.leaders != np.arange(200)
    np.testing.assert_allclose(found.scores[went], (rows * rows[found.leaders]).sum(axis=1)[went], rtol=1e-5)
    assert np.isnan(found.scores[~went]).all()
    grouped = {number: leader for leader, members in found.groups() for number in members.tolist()}
    assert grouped == {int(row): expected[row] for row in np.flatnonzero(went)}


def test_equal_rows_reach_a_threshold_of_one() -> None:
    """Their product is 0.9999999 now and then."""
    rows = np.repeat(unit(50, 64), 2, axis=0)
    assert near_duplicates(rows, threshold=1).unique.tolist() == list(range(0, 100, 2))


def test_a_row_without_a_vector_stays_and_leads_none() -> None:
    rows = np.tile(unit(1, 4), (5, 1))
    rows[[0, 2]] = np.nan
    assert near_duplicates(rows, threshold=0.5).leaders.tolist() == [0, 1, 2, 1, 1]


def test_there_may_be_no_row_and_no_group() -> None:
    assert near_duplicates(unit(0, 4), threshold=0.8).groups() == []
    assert near_duplicates(np.eye(3, dtype=np.float32), threshold=0.8).groups() == []
    for threshold in (0, -1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="threshold"):
            near_duplicates(unit(2, 4), threshold=threshold)
