"""The limits that figures must keep to and the aims beyond them, as data, and the verdict on each figure. Measures
nothing.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
    digits: int | None = None
    """Digits after the point, where not as many as figures of its unit have."""

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
        digits = self.digits if self.digits is not None else 0 if self.unit in ("µs", "MB", "/s") else 2
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


def in_process(engine: str) -> Callable[[Results], float | None]:
    """An engine's best schedule's sentences/s over those of onnxruntime's best on as many threads: the least of all
    counts.
    """

    def compare(results: Results) -> float | None:
        native, other = results.ceiling(engine), results.ceiling(ONNXRUNTIME)
        if not (native and other):
            return None
        ratios = []
        for threads in {schedule.threads for schedule in native.schedules}:
            mine, best = native.best_on(threads), other.best_on(threads)
            if mine and best:
                ratios.append(mine.sentences_per_s / best.sentences_per_s)
        return min(ratios, default=None)

    return compare


def latency_over_onnxruntime(results: Results) -> float | None:
    """One sentence at a time in process: native float32's p50 over onnxruntime's."""
    native, other = results.ceiling(FLOAT32), results.ceiling(ONNXRUNTIME)
    return native.one_by_one_p50_ms / other.one_by_one_p50_ms if native and other else None


_BEST = "sentences/s over onnxruntime's best schedule"
NATIVE_BARS = (
    Bar(f"in process, {FLOAT32}: {_BEST}", "×", 1.8, 2.2, in_process(FLOAT32)),
    Bar(f"in process, {BF16}: {_BEST}", "×", 3.0, 4.0, in_process(BF16)),
    Bar(f"in process, {INT8}: {_BEST}", "×", 4.5, 6.5, in_process(INT8)),
    Bar(f"in process, {FLOAT32}: p50 of batch 1 over onnxruntime's", "×", 1.0, 0.6, latency_over_onnxruntime),
)
"""Bars on the native engine beside onnxruntime, in process. Tests judge bits and quality."""


def judge(results: Results) -> dict[str, list[Verdict]]:
    """Return every bar beside its figure, by the group that the bar belongs to."""
    return {"the native engine": [Verdict(bar, bar.figure(results)) for bar in NATIVE_BARS]}
