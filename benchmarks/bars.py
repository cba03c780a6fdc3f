"""The limits that figures must keep to and the aims beyond them, as data, and the verdict on each figure. Measures
nothing.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import figures
from figures import UNARY_1, UNARY_8, UNARY_32, UNARY_128, WIDE_4
from loads import OVERLOAD
from results import BF16, FLOAT32, INT8, ONNXRUNTIME, Results


@dataclass(frozen=True, slots=True)
class Bar:
    """A limit that a figure must keep to, and the aim beyond it where there is one."""

    text: str
    unit: str
    limit: float
    aim: float | None
    figure: Callable[[Any], float | None]
    """Function of the run's results."""
    less_is_better: bool = False
    """Direction of a bar without an aim."""

    @property
    def at_most(self) -> bool:
        """Return whether less is better."""
        return self.less_is_better if self.aim is None else self.aim < self.limit

    def keeps(self, figure: float, to: float) -> bool:
        """Return whether `figure` is as good as `to`."""
        return figure <= to if self.at_most else figure >= to

    def show(self, value: float) -> str:
        """Return a value with its unit."""
        if math.isinf(value):
            return "none in time"
        digits = 0 if self.unit in ("µs", "MB", "/s") else 2
        return f"{value:,.{digits}f} {self.unit}".strip()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A bar and the figure that was measured for it."""

    bar: Bar
    figure: float | None

    @property
    def word(self) -> str:
        """The verdict in words, for a person."""
        if self.figure is None:
            return "not measured"
        if self.bar.aim is not None and self.bar.keeps(self.figure, self.bar.aim):
            return "met, and the aim"
        return "met" if self.bar.keeps(self.figure, self.bar.limit) else "missed"

    @property
    def text(self) -> str:
        """The same with how much is missing, as a share of the limit."""
        if self.figure is None or self.word != "missed" or not self.bar.limit or math.isinf(self.figure):
            return self.word
        return f"{self.word} by {abs(self.figure / self.bar.limit - 1):,.0%}".replace("%", " %")


_RATE, _P99 = "sentences/s over mosec's best", "p99 over mosec's there"
_rate, _p99 = partial(figures.over_mosec, figures.rate), partial(figures.over_mosec, figures.p99)


def server_bars(default: str) -> tuple[Bar, ...]:
    """Bars on the server around its engine.

    The engine is the one that it takes by itself, `default`. Two exceptions: padding is a matter of onnxruntime, since
    the native engine pads nothing; and beside mosec both run onnxruntime, so that it is servers that are compared.
    """
    both, wide_4 = "both on onnxruntime", f"{WIDE_4}, {default}"
    unary_1, unary_32, overload = (f"{load}, {default}" for load in (UNARY_1, UNARY_32, OVERLOAD.name))
    return (
        Bar(f"{wide_4}: server CPU over its ceiling's", "×", 1.25, 1.10, figures.cpu_over_ceiling(default, default)),
        Bar(f"{unary_32}: server CPU a sentence above its ceiling's", "µs", 180, 100, figures.cpu_above_ceiling),
        Bar(f"{unary_1}: p50 above the engine's own", "ms", 0.5, 0.25, figures.latency_above_engine),
        Bar(
            f"{UNARY_32}, {ONNXRUNTIME}: share of computed tokens that isn't padding",
            "",
            0.85,
            0.95,
            figures.efficiency,
        ),
        *(Bar(f"{load}, {both}: {_RATE}", "×", 1.0, 1.3, _rate(ONNXRUNTIME, load)) for load in (UNARY_8, UNARY_32)),
        *(Bar(f"{load}, {both}: {_P99}", "×", 1.0, 0.7, _p99(ONNXRUNTIME, load)) for load in (UNARY_8, UNARY_32)),
        Bar(f"{WIDE_4}, {both}: {_RATE}", "×", 1.0, 1.1, _rate(ONNXRUNTIME, WIDE_4)),
        Bar(f"{overload}: answered in time over the peak", "×", 0.90, 0.98, figures.goodput_over_peak),
        Bar(f"{overload}: p99 of refusals", "ms", 10, 2, figures.refusals),
        Bar(f"long run, {default}: memory growth over its last nine tenths", "%", 5, 1, figures.memory_growth),
    )


_BEST = "sentences/s over onnxruntime's best schedule"
_UNARY = (UNARY_8, UNARY_32, UNARY_128)
NATIVE_BARS = (
    Bar(f"in process, {FLOAT32}: {_BEST}", "×", 1.8, 2.2, figures.in_process(FLOAT32)),
    Bar(f"in process, {BF16}: {_BEST}", "×", 3.0, 4.0, figures.in_process(BF16)),
    Bar(f"in process, {INT8}: {_BEST}", "×", 4.5, 6.5, figures.in_process(INT8)),
    Bar(f"in process, {FLOAT32}: p50 of batch 1 over onnxruntime's", "×", 1.0, 0.6, figures.latency_over_onnxruntime),
    Bar(f"{WIDE_4}, {FLOAT32}: server CPU over onnxruntime's ceiling", "×", 0.65, 0.55,
        figures.cpu_over_ceiling(FLOAT32, ONNXRUNTIME)),
    *(Bar(f"{load}, {FLOAT32}: {_RATE}", "×", 1.3, 1.5, _rate(FLOAT32, load)) for load in _UNARY),
    Bar(f"{WIDE_4}, {FLOAT32}: {_RATE}", "×", 1.8, 2.2, _rate(FLOAT32, WIDE_4)),
    Bar(f"{WIDE_4}, {BF16}: {_RATE}", "×", 2.5, 3.5, _rate(BF16, WIDE_4)),
    Bar(f"any load, {FLOAT32}: the server's RSS above onnxruntime's", "MB", 150, 50, figures.rss_over_onnxruntime),
)  # fmt: skip
"""Bars on the native engine beside onnxruntime, in process and behind mosec. Tests judge bits and quality."""


def judge(results: Results) -> dict[str, list[Verdict]]:
    """Return every bar beside its figure, by the group that the bar belongs to."""
    groups = {"the server around its engine": server_bars(results.default), "the native engine": NATIVE_BARS}
    return {what: [Verdict(bar, bar.figure(results)) for bar in bars] for what, bars in groups.items()}
