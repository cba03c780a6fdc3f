"""The figures that bars are set on, each a function of a run's results; None where the run didn't measure it."""

from collections.abc import Callable

from loads import CLOSED, OVERLOAD, PEAK, unary, wide
from results import FLOAT32, MOSEC, ONNXRUNTIME, Results, Row, ours

UNARY_1, UNARY_8, UNARY_32, UNARY_128 = unary(1).name, unary(8).name, unary(32).name, PEAK.name
WIDE_4 = wide(4).name
Figure = Callable[[Results], float | None]


def _over(value: float | None, other: float | None) -> float | None:
    """Return the ratio of the two figures, where both are known."""
    return None if value is None or not other else value / other


def in_process(engine: str) -> Figure:
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


def cpu_over_ceiling(server: str, ceiling: str) -> Figure:
    """CPU a sentence, through the server on one engine, over the ceiling of one."""

    def compare(results: Results) -> float | None:
        row, alone = results.row(ours(server), WIDE_4), results.ceiling(ceiling)
        return None if not (row and alone) else _over(row.cpu_s_per_1000, alone.best.cpu_s_per_1000)

    return compare


def cpu_over_onnxruntime(results: Results) -> float | None:
    """CPU a sentence, through the server on native float32 over that of the one on onnxruntime. No bar is set on it."""
    native, other = results.row(ours(FLOAT32), WIDE_4), results.row(ours(ONNXRUNTIME), WIDE_4)
    return None if not (native and other) else _over(native.cpu_s_per_1000, other.cpu_s_per_1000)


def cpu_above_ceiling(results: Results) -> float | None:
    """Server CPU above its engine's ceiling for single sentences, 32 in flight, microseconds a sentence."""
    row, ceiling = results.row(ours(results.default), UNARY_32), results.ceiling(results.default)
    if not (row and ceiling) or row.cpu_s_per_1000 is None:
        return None
    return (row.cpu_s_per_1000 - ceiling.best.cpu_s_per_1000) * 1000  # seconds per 1,000 are ms each; here µs


def latency_above_engine(results: Results) -> float | None:
    """The server's p50 above its engine's own with one request at a time, milliseconds."""
    row, ceiling = results.row(ours(results.default), UNARY_1), results.ceiling(results.default)
    if not (row and ceiling) or row.p50_ms is None:
        return None
    return row.p50_ms - ceiling.one_by_one_p50_ms


def efficiency(results: Results) -> float | None:
    """The share of real tokens in what onnxruntime computes for single sentences, 32 in flight."""
    row = results.row(ours(ONNXRUNTIME), UNARY_32)
    return row and row.efficiency


def over_mosec(figure: Callable[[Row], float | None], engine: str, load: str) -> Figure:
    """Ratio of our figure to mosec's, whose settings are those that gave it the most sentences/s under this load."""

    def compare(results: Results) -> float | None:
        mine, theirs = results.row(ours(engine), load), results.best(MOSEC, load)
        return None if not (mine and theirs) else _over(figure(mine), figure(theirs))

    return compare


def goodput_over_peak(results: Results) -> float | None:
    """Sentences answered in time at twice the capacity, as a share of the capacity."""
    row = results.row(ours(results.default), OVERLOAD.name)
    return None if not row else _over(row.goodput_per_s, row.peak_per_s)


def refusals(results: Results) -> float | None:
    """99th percentile of the time to a refusal at twice the capacity, milliseconds."""
    row = results.row(ours(results.default), OVERLOAD.name)
    return row and row.refused_p99_ms


def memory_growth(results: Results) -> float | None:
    """Growth of memory over the long run, per cent."""
    return 100 * results.memory.growth if results.memory else None


def latency_over_onnxruntime(results: Results) -> float | None:
    """One sentence at a time in process: native float32's p50 over onnxruntime's."""
    native, other = results.ceiling(FLOAT32), results.ceiling(ONNXRUNTIME)
    return None if not (native and other) else _over(native.one_by_one_p50_ms, other.one_by_one_p50_ms)


def rss_over_onnxruntime(results: Results) -> float | None:
    """The native float32 server's resident megabytes above onnxruntime's, the most of all loads."""
    pairs = ((results.row(ours(FLOAT32), load.name), results.row(ours(ONNXRUNTIME), load.name)) for load in CLOSED)
    return max((native.rss_mb - other.rss_mb for native, other in pairs if native and other), default=None)


def rate(row: Row) -> float:
    """Rate in sentences a second."""
    return row.sentences_per_s


def p99(row: Row) -> float | None:
    """99th percentile of latency, milliseconds."""
    return row.p99_ms
