"""The simulation beside the server that it stands for: both figures of the same loads. Measures nothing."""

from typing import Any

from loads import OPEN, PEAK, unary, wide
from results import FLOAT32, Results, ours
from scenarios import Scenarios

_WORKERS = 2
"""Workers of the server of record, which had two cores."""


def compare(scenarios: Scenarios, results: Results) -> list[dict[str, Any]]:
    """Return each figure's load and name, as it was measured and as it was simulated."""
    found = []
    closed = [*(unary(callers) for callers in (1, 8, 32)), PEAK, wide(4), wide(8)]
    for load in closed:
        row = results.row(ours(FLOAT32), load.name)
        assert row is not None
        assert load.concurrency is not None
        made = scenarios.closed(load.concurrency, workers=_WORKERS, batch=load.batch)
        pairs = {
            "sentences/s": (row.sentences_per_s, load.batch * made.in_time_per_s),
            "p50 ms": (row.p50_ms, made.p50_ms),
            "p99 ms": (row.p99_ms, made.p99_ms),
        }
        found += [_pair(load.name, name, *pair) for name, pair in pairs.items()]
    for load in OPEN:
        row = results.row(ours(FLOAT32), load.name)
        assert row is not None
        assert row.offered_per_s is not None
        made = scenarios.overload(row.offered_per_s, workers=_WORKERS)
        found.append(_pair(load.name, "answered in time/s", row.goodput_per_s, made.in_time_per_s))
        found.append(_pair(load.name, "p99 ms", row.p99_ms, made.p99_ms))
    return found


def _pair(load: str, figure: str, measured: float | None, simulated: float) -> dict[str, Any]:
    assert measured is not None
    return {"load": load, "figure": figure, "measured": measured, "simulated": simulated}
