"""The limits that the server must keep to beside mosec and beyond its capacity, and the aims past them.

Bars are set on the transport that is judged, in float32 where no other engine is named.
"""

from collections.abc import Callable
from functools import partial

from bars import Bar, Verdict
from loads import PEAK, unary, wide
from results import FLOAT32, INT8, ONNXRUNTIME

from . import form_bars, shard_bars
from .loads import CELLS, EMPTY, GREEDY, LISTS, LISTS_200, LISTS_1000, POLITE, SINGLE_200, SINGLE_1000, SINGLES, STORMS
from .results import ComparisonResults, best, named

EARLIER_RSS_MB = 155
"""Resident megabytes of the server in float32, the most of the same cells and forms, as of commit a51e5ac: before its
native transport spoke HTTP.
"""
_OVER_MOSEC = "sentences/s over mosec's best"
_ALL_STORMS = [storm.name for _, storms in STORMS for storm in storms]


def _rate(engine: str, load: str, found: ComparisonResults) -> float | None:
    """Ratio of our sentences a second to mosec's at its best settings."""
    mine, theirs = named(found.rows, found.judged(engine), load), best(found.rows, load)
    return mine.sentences_per_s / theirs.sentences_per_s if mine and theirs else None


def _p99(load: str, found: ComparisonResults) -> float | None:
    """Ratio of our p99 to mosec's at the settings that answer the most."""
    mine, theirs = named(found.rows, found.judged(FLOAT32), load), best(found.rows, load)
    return mine.p99_ms / theirs.p99_ms if mine and theirs and mine.p99_ms and theirs.p99_ms else None


def _empty(load: str, found: ComparisonResults) -> float | None:
    row = named(found.empty, found.judged(FLOAT32), load)
    return row.cpu_us if row else None


def _storm(load: str, figure: str, found: ComparisonResults) -> float | None:
    row = named(found.storms, found.judged(FLOAT32), load)
    value: float | None = getattr(row, figure) if row else None
    return value


def _worst(worst: Callable[[list[float]], float], figure: str, found: ComparisonResults) -> float | None:
    """The worst of all storms."""
    values = [value for load in _ALL_STORMS if (value := _storm(load, figure, found)) is not None]
    return worst(values) if values else None


def _rss(found: ComparisonResults) -> float | None:
    """Megabytes above those of before, the most of any cell and form."""
    mine = [row.rss_mb for row in found.rows if row.server.startswith(found.judged(FLOAT32))]
    return max(mine) - EARLIER_RSS_MB if mine else None


def _beside(load: str, found: ComparisonResults, *, alone: bool) -> float | None:
    """Milliseconds of a p99 beside another load, or their ratio to the p99 alone."""
    row = named(found.neighbours, found.judged(FLOAT32), load)
    return (row.seen_p99_ms / row.alone_p99_ms if alone else row.seen_p99_ms) if row else None


def _over_mosec() -> list[Bar]:
    limits = {unary(1): (1.8, 2.4), unary(8): (2.0, 2.7), unary(32): (2.5, 3.8), PEAK: (2.0, 2.8), wide(4): (1.5, 2.0)}
    bars = [
        Bar(f"{load.name}: {_OVER_MOSEC}", "×", *limits[load], partial(_rate, FLOAT32, load.name)) for load in CELLS
    ]
    int8 = {unary(8): 3.0, unary(32): 4.5, PEAK: 4.0}
    return [
        *bars,
        *(
            Bar(f"{load.name}, {INT8}: {_OVER_MOSEC}", "×", limit, None, partial(_rate, INT8, load.name))
            for load, limit in int8.items()
        ),
        *(
            Bar(f"{load.name}, both on onnxruntime: {_OVER_MOSEC}", "×", 1.1, 1.4,
                partial(_rate, ONNXRUNTIME, load.name))
            for load in int8
        ),
        *(Bar(f"{load.name}: p99 over mosec's", "×", 1.0, 0.6, partial(_p99, load.name)) for load in CELLS),
    ]  # fmt: skip


def _beyond_the_peak() -> list[Bar]:
    in_time, single = "answered in time over the peak", SINGLE_200.name
    return [
        Bar(f"{single}: {in_time}", "×", 0.65, 0.8, partial(_storm, single, "of_peak")),
        Bar(f"{single}: the same, of a CPU-second that the generator leaves", "×", 0.9, None,
            partial(_storm, single, "of_peak_by_cpu")),
        Bar(f"{LISTS_200.name}: {in_time}", "×", 0.95, 0.98, partial(_storm, LISTS_200.name, "of_peak")),
        *(
            Bar(f"{load.name}: {in_time}", "×", 0.5, None, partial(_storm, load.name, "of_peak"))
            for load in (SINGLE_1000, LISTS_1000)
        ),
        Bar(f"{single}: p99 of refusals", "ms", 10, 3, partial(_storm, single, "refused_p99_ms")),
        Bar("any storm: share of refusals that is RESOURCE_EXHAUSTED with RetryInfo", "", 1.0, None,
            partial(_worst, min, "told_when")),
        Bar("any storm: time until a call is as quick as before", "s", 1.0, None, partial(_worst, max, "recovery_s"),
            less_is_better=True),
    ]  # fmt: skip


def _costs_and_turns() -> list[Bar]:
    polite, singles = f"{POLITE.name}, beside {GREEDY.name}", f"{SINGLES.name}, beside {LISTS.name}"
    return [
        Bar(f"{EMPTY[0].name}: server CPU a call", "µs", 8, 3, partial(_empty, EMPTY[0].name)),
        Bar(f"any cell, {FLOAT32}: RSS over {EARLIER_RSS_MB} MB, as it was before HTTP was native", "MB", 10, 0, _rss),
        Bar(f"{polite}: p99 over alone", "×", 3, 2, partial(_beside, polite, alone=True)),
        Bar(f"{singles}: p99", "ms", 10, None, partial(_beside, singles, alone=False), less_is_better=True),
    ]


def judge(found: ComparisonResults) -> dict[str, list[Verdict]]:
    """Return every bar beside its figure, by group."""
    groups = {
        "what callers may ask for, over plain gRPC": form_bars.over_plain(),
        "HTTP beside mosec, lists, and a device that is fed": form_bars.others(),
        "the server beside mosec": _over_mosec(),
        "the server beyond its peak": _beyond_the_peak(),
        "what a call costs, and whose turn it is": _costs_and_turns(),
        "the transport in shards": shard_bars.bars(),
    }
    return {what: [Verdict(bar, bar.figure(found)) for bar in bars] for what, bars in groups.items()}
