"""Results' own arithmetic, and their JSON."""

from dataclasses import replace
from pathlib import Path

from loads import PEAK
from results import FLOAT32, Results, medians, ours
from sample_results import row


def test_threads_are_counted_apart(results: Results) -> None:
    found = [results.ceilings[1].best_on(threads) for threads in (1, 2, 3)]
    assert [best and best.batch for best in found] == [32, 256, None]


def test_a_row_is_the_median_of_its_rounds() -> None:
    """Medians are taken of each figure by itself, of the values that are known."""
    first = row(ours(FLOAT32), PEAK.name, sentences_per_s=10)
    rounds = [first, replace(first, sentences_per_s=40, other_cores=0.5), replace(first, sentences_per_s=20)]
    (middle,) = medians([*rounds, row("other", PEAK.name)])[:1]
    assert (middle.sentences_per_s, middle.other_cores) == (20, 0.5)


def test_results_come_back_from_their_json(results: Results, tmp_path: Path) -> None:
    results.save(tmp_path / "results.json")
    assert Results.open(tmp_path / "results.json") == results
