"""Figures that are made of several rows: whose rate, whose p99 and whose ceiling each takes."""

import pytest

import bars
import figures
from results import FLOAT32, Results
from sample_results import ceiling, figure


def test_mosecs_best_is_the_one_with_the_most_sentences(results: Results) -> None:
    """The p99 is that one's too, not the least of any."""
    where = f"{figures.UNARY_8}, both on onnxruntime"
    assert figure(results, f"{where}: sentences/s over mosec's best") == pytest.approx(1.3)
    assert figure(results, f"{where}: p99 over mosec's there") == pytest.approx(5 / 8)
    assert figure(results, f"{figures.UNARY_8}, {FLOAT32}: sentences/s over mosec's best") == pytest.approx(1.5)


def test_the_ceiling_is_the_fastest_schedule_of_the_same_engine(results: Results) -> None:
    """The ceiling is not a schedule that takes less CPU but is slower; differences are microseconds."""
    over, above = (verdict.figure for verdict in bars.judge(results)["the server around its engine"][:2])
    assert over == pytest.approx(0.16 / 0.15)
    assert above == pytest.approx(90)


def test_the_native_servers_cpu_is_set_beside_onnxruntimes_ceiling(results: Results) -> None:
    text = f"{figures.WIDE_4}, {FLOAT32}: server CPU over onnxruntime's ceiling"
    assert figure(results, text) == pytest.approx(0.16 / 0.32)


@pytest.mark.parametrize(("one", "two"), [(6300, 13500), (7200, 12600)])
def test_an_engine_in_process_is_judged_by_its_worse_number_of_threads(
    results: Results, one: float, two: float
) -> None:
    """The best on one thread is set beside the best on one, and on two beside two."""
    results.ceilings[1] = ceiling(FLOAT32, one, two, cpu_s=0.15, p50_ms=0.25)
    text = f"in process, {FLOAT32}: sentences/s over onnxruntime's best schedule"
    assert figure(results, text) == pytest.approx(2.1)


def test_memory_over_onnxruntime_is_the_most_of_all_loads(results: Results) -> None:
    """Loads count that both servers were measured under."""
    assert figures.rss_over_onnxruntime(results) == pytest.approx(40)
