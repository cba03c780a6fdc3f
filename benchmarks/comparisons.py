"""Draws comparisons: engines by themselves, and servers under every load."""

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loads import CLOSED, Load
from results import BF16, FLOAT32, INT8, MOSEC, NAIVE, ONNXRUNTIME, Ceiling, Results, Row, ours
from style import BLUE, GREEN, GREY, PURPLE, RED, SKY, THOUSANDS, two_panels

_COLOURS = {ONNXRUNTIME: PURPLE, FLOAT32: BLUE, BF16: GREEN, INT8: SKY}


@dataclass(frozen=True, slots=True)
class Mark:
    """The look of a server's bars."""

    server: str
    name: str
    colour: str


_MARKS = (
    *(Mark(ours(engine), f"bothends, {engine}", _COLOURS[engine]) for engine in (INT8, BF16, FLOAT32, ONNXRUNTIME)),
    Mark(MOSEC, "mosec on onnxruntime, its best settings", RED),
    Mark(NAIVE, "plain grpcio on onnxruntime", GREY),
)
"""Marks in the order of a load's bars."""


def engines(results: Results) -> Figure:
    """Draw bars for each engine: its best schedules, and its latency with one sentence."""
    other = results.ceiling(ONNXRUNTIME)
    figure, (rate, latency) = two_panels(_over_onnxruntime(results, other), 5.0)
    figure.subplots_adjust(left=0.135, wspace=0.12, bottom=0.16, top=0.82)
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


def peers(results: Results) -> Figure:
    """Draw bars for each load, one a server, and below them what the engines do by themselves."""
    groups = {load.name: _bars_of(results, load.name) for load in sorted(CLOSED, key=_by_size)}
    groups = {name: bars for name, bars in groups.items() if bars}
    places, middles, at = [], [], 0.0
    for bars in groups.values():
        places.append([at - index for index in range(len(bars))])
        middles.append(at - (len(bars) - 1) / 2)
        at -= len(bars) + 0.8
    height = 1.9 + 0.17 * -at
    figure, panels = two_panels(_over_peers(results), height)
    figure.subplots_adjust(left=0.135, wspace=0.08, bottom=0.65 / height, top=1 - 1.35 / height)
    for axes, of, text in zip(panels, (1, 2), ("{:,.0f}", "{:.2f}"), strict=True):
        for bars, rows in zip(groups.values(), places, strict=True):
            for bar, place in zip(bars, rows, strict=True):
                if (value := bar[of]) is not None:
                    axes.barh(place, value, height=0.9, color=bar[0].colour, label=bar[0].name)
                    axes.text(value, place, f" {text.format(value)}", va="center", fontsize=8)
        axes.set_yticks(middles, list(groups) if of == 1 else [""] * len(groups))
        axes.set_ylim(at + 0.8, 1)
        axes.set_xlim(0, 1.14 * axes.get_xlim()[1])
        axes.locator_params(axis="x", nbins=5)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
    panels[0].set_title("sentences a second (more is better)")
    panels[0].xaxis.set_major_formatter(THOUSANDS)
    panels[1].set_title("server CPU-seconds per 1,000 (less is better)")
    panels[0].set_xlabel("labels: sentences a request × requests in flight", loc="left", color=GREY, fontsize=8.5)
    named = dict(zip(*panels[0].get_legend_handles_labels()[::-1], strict=True))
    known = [mark.name for mark in _MARKS if mark.name in named]
    figure.legend([named[name] for name in known], known, loc="upper left", bbox_to_anchor=(0.0, 1 - 0.4 / height),
                  ncols=3, frameon=False, columnspacing=1.6, handletextpad=0.5, fontsize=10)  # fmt: skip
    return figure


def _by_size(load: Load) -> tuple[int, int]:
    return load.batch, load.concurrency or 0


def _bars_of(results: Results, load: str) -> list[tuple[Mark, float | None, float | None]]:
    """Return a load's bars: whose it is, sentences a second, and CPU-seconds per 1,000."""
    rows = [(mark, _row(results, mark, load)) for mark in _MARKS]
    return [(mark, row.sentences_per_s, row.cpu_s_per_1000) for mark, row in rows if row is not None]


def _over_peers(results: Results) -> str:
    """Say in figures what the chart shows: ratios to mosec's best, at each load."""
    pairs = [
        (mine, theirs)
        for load in CLOSED
        if (mine := results.row(ours(FLOAT32), load.name)) and (theirs := results.best(MOSEC, load.name))
    ]
    rates = [mine.sentences_per_s / theirs.sentences_per_s for mine, theirs in pairs]
    if not rates:
        return "The same model behind several servers"
    costs = [mine.cpu_s_per_1000 / theirs.cpu_s_per_1000 for mine, theirs in pairs
             if mine.cpu_s_per_1000 and theirs.cpu_s_per_1000]  # fmt: skip
    said = f"{min(rates):.1f} to {max(rates):.1f} times the sentences of mosec, in float32"
    return f"{said}, for {100 * min(costs):.0f} to {100 * max(costs):.0f} % of its CPU" if costs else said


def _row(results: Results, mark: Mark, load: str) -> Row | None:
    return results.best(MOSEC, load) if mark.server == MOSEC else results.row(mark.server, load)
