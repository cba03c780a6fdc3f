"""Figures that bars are set on, beside hand-made results."""

import pytest

from results import FLOAT32, Results
from sample_results import ceiling, figure


@pytest.mark.parametrize(("one", "two"), [(6300, 13500), (7200, 12600)])
def test_an_engine_in_process_is_judged_by_its_worse_number_of_threads(
    results: Results, one: float, two: float
) -> None:
    """The best on one thread is set beside the best on one, and on two beside two."""
    results.ceilings[1] = ceiling(FLOAT32, one, two, cpu_s=0.15, p50_ms=0.25)
    text = f"in process, {FLOAT32}: sentences/s over onnxruntime's best schedule"
    assert figure(results, text) == pytest.approx(2.1)
