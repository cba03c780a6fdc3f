"""Bars beside figures: which are met, which are missed, and which can't be judged."""

import pytest

import bars
from results import FLOAT32, Results
from sample_results import ceiling, figure, verdicts


def test_figures_that_reach_every_aim_are_said_to(results: Results) -> None:
    assert {verdict.bar.text: verdict.word for verdict in verdicts(results) if verdict.word != "met, and the aim"} == {}


def test_an_empty_run_judges_nothing() -> None:
    """A figure that wasn't measured is no zero, which would meet half the bars."""
    assert {verdict.word for verdict in verdicts(Results({}, {}, {}))} == {"not measured"}


@pytest.mark.parametrize("bar", bars.NATIVE_BARS, ids=lambda bar: bar.text)
def test_each_bar_is_missed_on_its_wrong_side(bar: bars.Bar) -> None:
    """The aim is beyond the limit; a step to the other side of the limit is a miss."""
    assert bar.aim is not None
    worse = bar.limit + (bar.limit - bar.aim)
    words = [bars.Verdict(bar, figure).word for figure in (worse, bar.limit, bar.aim)]
    assert words == ["missed", "met", "met, and the aim"]


def test_without_the_native_engine_none_is_judged(results: Results) -> None:
    results.ceilings = results.ceilings[:1]
    assert {verdict.word for verdict in verdicts(results)} == {"not measured"}


@pytest.mark.parametrize(("one", "two"), [(6300, 13500), (7200, 12600)])
def test_an_engine_in_process_is_judged_by_its_worse_number_of_threads(
    results: Results, one: float, two: float
) -> None:
    """The best on one thread is set beside the best on one, and on two beside two."""
    results.ceilings[1] = ceiling(FLOAT32, one, two, cpu_s=0.15, p50_ms=0.25)
    text = f"in process, {FLOAT32}: sentences/s over onnxruntime's best schedule"
    assert figure(results, text) == pytest.approx(2.1)
