"""The comparison's results: the settings of mosec that are chosen, shares of a storm, and JSON that comes back."""

from pathlib import Path

import pytest

from loads import PEAK
from results import FLOAT32, medians, ours
from sample_results import row

from .loads import LISTS, SINGLE_200, SINGLES
from .results import ComparisonResults, Neighbours, Storm, best, fastest


def storm(**calls: int) -> Storm:
    """A storm with these calls, and plausible figures for the rest."""
    return Storm(
        ours(FLOAT32), SINGLE_200.name, 1000, 2000, 700, 0.7, 0.9, 0.5, 9, 6, 0.1, calls, {"0": 700, "8": 1300}
    )


def test_the_best_settings_of_mosec_go_on() -> None:
    rates = {ours(FLOAT32): 9, "mosec 1": 5, "mosec 4": 7, "mosec 8": 6}
    rows = [row(server, PEAK.name, sentences_per_s=rate) for server, rate in rates.items()]
    assert fastest(rows, 2) == {"mosec 4", "mosec 8"}
    chosen = [best(rows, PEAK.name), best(rows, "another load")]
    assert [each and each.server for each in chosen] == ["mosec 4", None]


def test_who_expires_is_not_refused() -> None:
    """Calls whose deadline passes in the generator were never refused by anybody."""
    assert storm(offered=100, answered=70, expired=10, told_when=15).told_when == pytest.approx(0.75)
    assert storm(offered=100, answered=100).told_when is None


def test_rounds_of_a_storm_are_medians_and_its_calls_are_added_up() -> None:
    (both,) = medians([storm(offered=10, told_when=1), storm(offered=30, answered=5)])
    assert both.calls == {"offered": 40, "told_when": 1, "answered": 5}
    assert (both.statuses["8"], both.goodput_per_s) == (2600, 700)


def test_a_caller_who_is_refused_has_no_p99() -> None:
    """Quick answers to the few who are let in are no fairness."""
    answered = [Neighbours("x", "y", 1.0, 2.0, share).seen_p99_ms for share in (1.0, 0.99, 0.98)]
    assert answered == [2.0, 2.0, float("inf")]


def test_results_come_back_from_their_json(tmp_path: Path) -> None:
    found = ComparisonResults({}, {}, {}, ["native", None])
    found.rows, found.storms = [row(ours(FLOAT32), PEAK.name)], [storm(offered=1)]
    found.neighbours = [Neighbours("x", f"{SINGLES.name}, beside {LISTS.name}", 1.0, None, 0.5)]
    found.save(tmp_path / "comparison.json")
    assert ComparisonResults.open(tmp_path / "comparison.json") == found
