"""Draws engines by themselves beside each other."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from results import BF16, FLOAT32, INT8, ONNXRUNTIME, Ceiling, Results
from style import BLUE, GREEN, PURPLE, SKY, STYLE, THOUSANDS, save, sign

_COLOURS = {ONNXRUNTIME: PURPLE, FLOAT32: BLUE, BF16: GREEN, INT8: SKY}


def draw(results: Results, folder: Path) -> dict[Path, str]:
    """Write the chart as PNG; return what it shows, by file."""
    return save(figures(results), folder)


def figures(results: Results) -> Iterator[tuple[str, Figure]]:
    """Yield the chart by its file's name, closed when the next is asked for."""
    with plt.rc_context(STYLE):
        figure = _engines(results)
        sign(figure, results.machine, what="")
        yield "engines.png", figure
        plt.close(figure)


def _engines(results: Results) -> Figure:
    """Draw bars for each engine: its best schedules, and its latency with one sentence."""
    other = results.ceiling(ONNXRUNTIME)
    figure, (rate, latency) = plt.subplots(1, 2, figsize=(11, 5))
    figure.suptitle(_over_onnxruntime(results, other), x=0.01, ha="left", fontsize=15, fontweight="bold")
    figure.subplots_adjust(left=0.135, right=0.97, wspace=0.12, bottom=0.16, top=0.82)
    places = list(range(len(results.ceilings), 0, -1))
    for index, ceiling in zip(places, results.ceilings, strict=True):
        _rates(rate, index, ceiling, other)
        p50_ms = ceiling.one_by_one_p50_ms
        latency.barh(index, p50_ms, height=0.36, color=_COLOURS[ceiling.engine])
        ratio = f" · {p50_ms / other.one_by_one_p50_ms:.2f} ×" if other and other is not ceiling else ""
        latency.text(p50_ms, index, f"  {p50_ms:.2f} ms{ratio}", va="center", fontsize=9.5)
    for axes in (rate, latency):
        axes.set_yticks(places, [ceiling.engine if axes is rate else "" for ceiling in results.ceilings])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(0.4, len(places) + 0.6)
        axes.grid(visible=False, axis="y")
        axes.set_xlim(0, 1.28 * axes.get_xlim()[1])
        axes.locator_params(axis="x", nbins=5)
    rate.xaxis.set_major_formatter(THOUSANDS)
    rate.set_title("sentences a second (more is better)")
    latency.set_title("one sentence at a time: p50, ms (less is better)")
    return figure


def _over_onnxruntime(results: Results, other: Ceiling | None) -> str:
    """Say in figures what the native engine brings, with no server around it."""
    said = []
    for engine, precision in ((FLOAT32, "float32"), (INT8, "int8")):
        if other and (ceiling := results.ceiling(engine)):
            times = ceiling.best.sentences_per_s / other.best.sentences_per_s
            said.append(f"{times:.1f} in {precision}")
    beside = f"The native engine alone, in times onnxruntime's sentences: {', '.join(said)}"
    return beside if said else "Engines alone, with no server around them"


def _rates(axes: Axes, place: int, ceiling: Ceiling, other: Ceiling | None) -> None:
    """Draw a bar for each number of threads, the most above."""
    threads = sorted({schedule.threads for schedule in ceiling.schedules}, reverse=True)
    for offset, count in zip((0.19, -0.19), threads, strict=False):
        best, beside = ceiling.best_on(count), other and other.best_on(count)
        assert best is not None
        alpha = 1 if count == threads[0] else 0.6
        axes.barh(place + offset, best.sentences_per_s, height=0.36, color=_COLOURS[ceiling.engine], alpha=alpha)
        if ceiling is other:
            text = f"{count} thread{'s' * (count > 1)}"
        else:
            text = f"{best.sentences_per_s / beside.sentences_per_s:.1f} ×" if beside else ""
        text = f"  {best.sentences_per_s:,.0f} · {text}"
        axes.text(best.sentences_per_s, place + offset, text, va="center", fontsize=9.5)
