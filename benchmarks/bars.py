"""What the server must reach and what it aims at, as data; and each beside its figure. Measures nothing."""

from collections.abc import Callable
from dataclasses import dataclass

from loads import OVERLOAD, unary, wide
from results import MOSEC, OURS, Results, Row

UNARY_1, UNARY_8, UNARY_32, WIDE_4 = unary(1).name, unary(8).name, unary(32).name, wide(4).name


@dataclass(frozen=True, slots=True)
class Bar:
    """A limit that a figure must keep to, and the aim beyond it."""

    text: str
    unit: str
    limit: float
    aim: float
    figure: Callable[[Results], float | None]
    """None where the run didn't measure it."""

    @property
    def at_most(self) -> bool:
        """Whether less is better."""
        return self.aim < self.limit

    def keeps(self, figure: float, to: float) -> bool:
        """Whether `figure` is as good as `to`."""
        return figure <= to if self.at_most else figure >= to

    def show(self, value: float) -> str:
        """A value with its unit."""
        return f"{value:.0f} {self.unit}" if self.unit == "µs" else f"{value:.2f} {self.unit}".strip()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A bar and what came of it."""

    bar: Bar
    figure: float | None

    @property
    def word(self) -> str:
        """For a person."""
        if self.figure is None:
            return "not measured"
        if self.bar.keeps(self.figure, self.bar.aim):
            return "met, and the aim"
        return "met" if self.bar.keeps(self.figure, self.bar.limit) else "missed"


def judge(results: Results) -> list[Verdict]:
    """Every bar beside its figure."""
    return [Verdict(bar, bar.figure(results)) for bar in BARS]


def _cpu_over_ceiling(results: Results) -> float | None:
    row, ceiling = results.row(OURS, WIDE_4), results.ceiling
    return None if not (row and ceiling) else _over(row.cpu_s_per_1000, ceiling.best.cpu_s_per_1000)


def _cpu_above_ceiling(results: Results) -> float | None:
    row, ceiling = results.row(OURS, UNARY_32), results.ceiling
    if not (row and ceiling) or row.cpu_s_per_1000 is None:
        return None
    return (row.cpu_s_per_1000 - ceiling.best.cpu_s_per_1000) * 1000  # seconds per 1,000 are ms each; here µs


def _latency_above_engine(results: Results) -> float | None:
    row, ceiling = results.row(OURS, UNARY_1), results.ceiling
    if not (row and ceiling) or row.p50_ms is None:
        return None
    return row.p50_ms - ceiling.one_by_one_p50_ms


def _efficiency(results: Results) -> float | None:
    row = results.row(OURS, UNARY_32)
    return row and row.efficiency


def _over(value: float | None, other: float | None) -> float | None:
    return None if value is None or not other else value / other


def _over_mosec(load: str, figure: Callable[[Row], float | None]) -> Callable[[Results], float | None]:
    """Ours over mosec's, whose settings are those that gave it the most sentences/s under this load."""

    def compare(results: Results) -> float | None:
        ours, theirs = results.row(OURS, load), results.best(MOSEC, load)
        return None if not (ours and theirs) else _over(figure(ours), figure(theirs))

    return compare


def _goodput_over_peak(results: Results) -> float | None:
    row = results.row(OURS, OVERLOAD.name)
    return None if not row else _over(row.goodput_per_s, row.peak_per_s)


def _refusals(results: Results) -> float | None:
    row = results.row(OURS, OVERLOAD.name)
    return row and row.refused_p99_ms


def _memory_growth(results: Results) -> float | None:
    return 100 * results.memory.growth if results.memory else None


def _rate(row: Row) -> float:
    return row.sentences_per_s


def _p99(row: Row) -> float | None:
    return row.p99_ms


BARS = (
    Bar(f"{WIDE_4}: server CPU over the ceiling's", "×", 1.25, 1.10, _cpu_over_ceiling),
    Bar(f"{UNARY_32}: server CPU a sentence above the ceiling's", "µs", 180, 100, _cpu_above_ceiling),
    Bar(f"{UNARY_1}: p50 above the engine's own", "ms", 0.5, 0.25, _latency_above_engine),
    Bar(f"{UNARY_32}: share of computed tokens that is not padding", "", 0.85, 0.95, _efficiency),
    Bar(f"{UNARY_8}: sentences/s over mosec's best", "×", 1.0, 1.3, _over_mosec(UNARY_8, _rate)),
    Bar(f"{UNARY_8}: p99 over mosec's there", "×", 1.0, 0.7, _over_mosec(UNARY_8, _p99)),
    Bar(f"{UNARY_32}: sentences/s over mosec's best", "×", 1.0, 1.3, _over_mosec(UNARY_32, _rate)),
    Bar(f"{UNARY_32}: p99 over mosec's there", "×", 1.0, 0.7, _over_mosec(UNARY_32, _p99)),
    Bar(f"{WIDE_4}: sentences/s over mosec's best", "×", 1.0, 1.1, _over_mosec(WIDE_4, _rate)),
    Bar(f"{OVERLOAD.name}: answered in time over the peak", "×", 0.90, 0.98, _goodput_over_peak),
    Bar(f"{OVERLOAD.name}: p99 of refusals", "ms", 10, 2, _refusals),
    Bar("memory growth over the last nine tenths of the long run", "%", 5, 1, _memory_growth),
)
