"""Comparisons as pictures: engines by themselves, and servers under every load. Measures nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loads import CLOSED
from results import BF16, FLOAT32, INT8, MOSEC, NAIVE, ONNXRUNTIME, Ceiling, Results, Row, ours
from style import BLUE, DASHES, GREY, RED, SKY, THOUSANDS, two_panels

_COLOURS = {ONNXRUNTIME: SKY, FLOAT32: BLUE, BF16: BLUE, INT8: BLUE}


@dataclass(frozen=True, slots=True)
class Mark:
    """The look of a server's dots."""

    server: str
    name: str
    colour: str
    shape: str = "o"
    size: float = 10


_MARKS = (
    Mark(ours(FLOAT32), "bothends, native float32", BLUE),
    Mark(ours(ONNXRUNTIME), "bothends, onnxruntime", SKY),
    Mark(ours(BF16), "bothends, native bf16", BLUE, "D", 7),
    Mark(ours(INT8), "bothends, native int8", BLUE, "^", 8),
    Mark(MOSEC, "mosec on onnxruntime, its best settings at each load", RED),
    Mark(NAIVE, "naive: grpcio, a run for each request", GREY),
)
"""Marks in the legend's order, column by column; the first lie on top."""


def engines(results: Results) -> Figure:
    """Draw bars for each engine: its best schedules, and its latency with one sentence."""
    figure, (rate, latency) = two_panels("The engines by themselves, with no server around them", 5.0)
    figure.subplots_adjust(left=0.135, wspace=0.12, bottom=0.16, top=0.82)
    other = results.ceiling(ONNXRUNTIME)
    places = list(range(len(results.ceilings), 0, -1))
    for place, ceiling in zip(places, results.ceilings, strict=True):
        _rates(rate, place, ceiling, other)
        p50_ms = ceiling.one_by_one_p50_ms
        latency.barh(place, p50_ms, height=0.36, color=_COLOURS[ceiling.engine])
        ratio = f" · {p50_ms / other.one_by_one_p50_ms:.2f} ×" if other and other is not ceiling else ""
        latency.text(p50_ms, place, f"  {p50_ms:.2f} ms{ratio}", va="center", fontsize=9.5)
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


def peers(results: Results) -> Figure:
    """Draw a line for each load, a dot for each server."""
    figure, (rate, cpu) = two_panels("The same model behind three servers", 6.2)
    figure.subplots_adjust(left=0.135, wspace=0.08, bottom=0.13, top=0.74)
    loads = sorted(CLOSED, key=lambda load: (load.batch, load.concurrency))
    places = range(len(loads), 0, -1)
    for axes in (rate, cpu):
        axes.set_yticks(list(places), [load.name if axes is rate else "" for load in loads])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(0.3, len(loads) + 0.7)
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False, axis="x")
    for mark in reversed(_MARKS):
        rows = [(row, at) for load, at in zip(loads, places, strict=True) if (row := _row(results, mark, load.name))]
        if rows:
            _dots(rate, [(row.sentences_per_s, at) for row, at in rows], mark)
            _dots(cpu, [(row.cpu_s_per_1000, at) for row, at in rows], mark)
    rate.text(-0.012, 1.02, "sentences a request\n× requests in flight", transform=rate.transAxes, ha="right",
              fontsize=8.5, color=GREY)  # fmt: skip
    rate.set_title("sentences a second (more is better)")
    rate.xaxis.set_major_formatter(THOUSANDS)
    cpu.set_title("server CPU-seconds per 1,000 (less is better)")
    for axes in (rate, cpu):
        axes.set_xlim(left=0)
    for engine, height in ((ONNXRUNTIME, 0.48), (FLOAT32, len(loads) + 0.55)):
        if ceiling := results.ceiling(engine):
            _ceiling(rate, ceiling.best.sentences_per_s, engine, height)
            _ceiling(cpu, ceiling.best.cpu_s_per_1000, engine, height)
    handles, names = rate.get_legend_handles_labels()
    figure.legend(handles[::-1], names[::-1], loc="upper left", bbox_to_anchor=(0.0, 0.94), ncols=3, frameon=False,
                  columnspacing=1.6, handletextpad=0.4)  # fmt: skip
    return figure


def _row(results: Results, mark: Mark, load: str) -> Row | None:
    return results.best(MOSEC, load) if mark.server == MOSEC else results.row(mark.server, load)


def _dots(axes: Axes, points: Sequence[tuple[float | None, int]], mark: Mark) -> None:
    axes.plot(*zip(*points, strict=True), mark.shape, color=mark.colour, markersize=mark.size, label=mark.name,
              alpha=0.95)  # fmt: skip


def _ceiling(axes: Axes, value: float, engine: str, height: float) -> None:
    """Draw a line that the engine by itself reaches; where that is far away, write what it reaches at the edge."""
    text, edge = f"{engine} alone", axes.get_xlim()[1]
    over_lines = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    style = {"fontsize": 9, "color": _COLOURS[engine], "va": "center", "bbox": over_lines}
    if value < edge:
        axes.axvline(value, color=_COLOURS[engine], linestyle=DASHES, linewidth=1.2)
        aside, to = (5, "left") if value < 0.7 * edge else (-5, "right")
        axes.annotate(text, (value, height), (aside, 0), textcoords="offset points", ha=to, **style)
    else:
        axes.annotate(f"{text}: {value:,.0f} →", (edge, height), ha="right", **style)
