"""The figures that bars are set on, each a function of a run's results; None where the run didn't measure it."""

from collections.abc import Callable

from results import FLOAT32, ONNXRUNTIME, Results

Figure = Callable[[Results], float | None]


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


def latency_over_onnxruntime(results: Results) -> float | None:
    """One sentence at a time in process: native float32's p50 over onnxruntime's."""
    native, other = results.ceiling(FLOAT32), results.ceiling(ONNXRUNTIME)
    return native.one_by_one_p50_ms / other.one_by_one_p50_ms if native and other else None
