"""Bars beside figures: which are met, which are missed, and which can't be judged."""

import pytest

import bars
import loads
from results import FLOAT32, ONNXRUNTIME, Results, ours
from sample_results import figure, row, verdicts


def test_figures_that_reach_every_aim_are_said_to(results: Results) -> None:
    assert {verdict.bar.text: verdict.word for verdict in verdicts(results) if verdict.word != "met, and the aim"} == {}


def test_an_empty_run_judges_nothing() -> None:
    """A figure that wasn't measured is no zero, which would meet half the bars."""
    assert {verdict.word for verdict in verdicts(Results({}, {}, {}))} == {"not measured"}


@pytest.mark.parametrize("bar", [*bars.server_bars(FLOAT32), *bars.NATIVE_BARS], ids=lambda bar: bar.text)
def test_each_bar_is_missed_on_its_wrong_side(bar: bars.Bar) -> None:
    """The aim is beyond the limit; a step to the other side of the limit is a miss."""
    worse = bar.limit + (bar.limit - bar.aim)
    words = [bars.Verdict(bar, figure).word for figure in (worse, bar.limit, bar.aim)]
    assert words == ["missed", "met", "met, and the aim"]


def test_without_the_native_engine_the_server_is_judged_on_onnxruntime(results: Results) -> None:
    """Bars of the native engine aren't judged where nothing was measured for them."""
    results.default, results.ceilings = ONNXRUNTIME, results.ceilings[:1]
    results.rows = [row for row in results.rows if "native" not in row.server]
    results.rows.append(row(ours(ONNXRUNTIME), loads.OVERLOAD.name, refused_p99_ms=3.0))
    judged = bars.judge(results)
    assert {verdict.word for verdict in judged["the native engine"]} == {"not measured"}
    assert judged["the server around its engine"][0].figure == pytest.approx(0.4 / 0.32)
    assert figure(results, f"{loads.OVERLOAD.name}, {ONNXRUNTIME}: p99 of refusals") == 3
