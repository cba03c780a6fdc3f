"""The simulation beside the server that it stands for: both figures of the same loads. Measures nothing."""

from typing import Any

from loads import OPEN, PEAK, unary, wide
from results import FLOAT32, Results, ours
from scenarios import Scenarios

_WORKERS = 2
"""Workers of the server of record, which had two cores."""
HALVES = {8: (1758, 2465), 32: (2354, 2978), 128: (2708, 3159)}
"""Single sentences a second by callers: of one process with two workers, and of two with one each, half of the callers
at each. `python benchmarks/halves.py`, AMD EPYC, 2 shared cores, 2026-11-26, medians of two rounds."""


def compare(scenarios: Scenarios, results: Results) -> list[dict[str, Any]]:
    """Return each figure's load and name, as it was measured and as it was simulated."""
    found = []
    closed = [*(unary(callers) for callers in (1, 8, 32)), PEAK, wide(4), wide(8)]
    rates = {}
    for load in closed:
        row = results.row(ours(FLOAT32), load.name)
        assert row is not None
        assert load.concurrency is not None
        made = scenarios.closed(load.concurrency, workers=_WORKERS, batch=load.batch)
        rates[load.name] = made.in_time_per_s
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
    for callers, (one, two) in HALVES.items():
        both = 2 * scenarios.closed(callers // 2, workers=1).in_time_per_s
        name = "two processes over one"
        found.append(_pair(unary(callers).name, name, two / one, both / rates[unary(callers).name]))
    return found


def _pair(load: str, figure: str, measured: float | None, simulated: float) -> dict[str, Any]:
    assert measured is not None
    return {"load": load, "figure": figure, "measured": measured, "simulated": simulated}
