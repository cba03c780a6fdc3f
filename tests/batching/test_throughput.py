"""Estimates of how long work will take, by how long it took."""

from bothends.batching.throughput import Throughput


def test_nothing_is_promised_before_anything_was_seen() -> None:
    assert Throughput().seconds_for(1e9) == 0


def test_work_in_two_places_goes_twice_as_fast() -> None:
    seen = Throughput()
    seen.record(100, 0.5, at_once=2)
    assert seen.seconds_for(400) == 1


def test_one_slow_batch_moves_the_estimate_a_tenth_of_the_way() -> None:
    """Noise must not refuse callers; a lasting change must be believed."""
    seen = Throughput()
    seen.record(1000, 1.0, at_once=1)
    seen.record(100, 1.0, at_once=1)
    assert seen.seconds_for(910) == 1
    for _ in range(60):
        seen.record(100, 1.0, at_once=1)
    assert 8.9 < seen.seconds_for(910) < 9.2


def test_a_clock_that_stood_still_says_nothing() -> None:
    seen = Throughput()
    seen.record(100, 0.0, at_once=1)
    assert seen.seconds_for(100) == 0
