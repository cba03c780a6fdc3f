"""How far one process goes, computed: by its cores, by its longest-held lock, and by what Python does of it."""

import pytest

from wall import amdahl, share_by_python, wall


@pytest.mark.parametrize(
    ("cores", "per_s"), [(1, 20_000), (4, 80_000), (5, 100_000), (6, 100_000), (64, 100_000)], ids=str
)
def test_cores_help_until_one_lock_is_always_held(cores: int, per_s: float) -> None:
    """A sentence of 50 µs that is under a lock for 10: from the sixth core on nothing is left to win."""
    assert wall(cores, 10.0, 50.0) == pytest.approx(per_s)


def test_amdahl_begins_at_a_core_and_comes_near_the_wall() -> None:
    """One core does all, and many do nearly what the lock allows, always less than the wall."""
    assert amdahl(1, 10.0, 50.0) == pytest.approx(wall(1, 10.0, 50.0))
    assert amdahl(5, 10.0, 50.0) == pytest.approx(1e6 / 18)
    assert amdahl(10_000, 10.0, 50.0) == pytest.approx(100_000, rel=0.001)
    assert all(amdahl(cores, 10.0, 50.0) <= wall(cores, 10.0, 50.0) for cores in range(1, 100))


def test_calls_share_pythons_own_lock() -> None:
    """At 100,000 a second a call may hold it for 10 µs on average: a tenth of 91 µs each, and 1 µs for the others."""
    share = share_by_python(100_000, 1.0, 91.0)
    assert share == pytest.approx(0.1)
    assert share * 91.0 + (1 - share) * 1.0 == pytest.approx(10.0)


def test_a_share_is_of_all_calls() -> None:
    """Few calls may all take Python's path; where the fast path alone fills the lock, none may."""
    assert share_by_python(1_000, 1.0, 91.0) == 1
    assert share_by_python(2_000_000, 1.0, 91.0) == 0
