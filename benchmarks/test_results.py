"""Results' own arithmetic, and their JSON."""

from dataclasses import replace
from pathlib import Path

import pytest

import figures
from results import FLOAT32, Memory, Results, medians, ours
from sample_results import row


def test_threads_are_counted_apart(results: Results) -> None:
    found = [results.ceilings[1].best_on(threads) for threads in (1, 2, 3)]
    assert [best and best.batch for best in found] == [32, 256, None]


def test_memory_grows_from_a_tenth_of_the_way() -> None:
    assert Memory([0, 90, 110, 1000], [50.0, 90.0, 100.0, 104.0]).growth == pytest.approx(0.04)


def test_a_row_is_the_median_of_its_rounds() -> None:
    """Medians are taken of each figure by itself, of the values that are known."""
    first = row(ours(FLOAT32), figures.UNARY_1, sentences_per_s=10)
    rounds = [first, replace(first, sentences_per_s=40, efficiency=0.5), replace(first, sentences_per_s=20)]
    (middle,) = medians([*rounds, row("other", figures.UNARY_1)])[:1]
    assert (middle.sentences_per_s, middle.efficiency) == (20, 0.5)


def test_results_come_back_from_their_json(results: Results, tmp_path: Path) -> None:
    results.save(tmp_path / "results.json")
    assert Results.open(tmp_path / "results.json") == results
