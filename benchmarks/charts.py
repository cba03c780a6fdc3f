"""Draws results as pictures."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

import comparisons
from loads import DEADLINE_MS, OPEN
from results import FLOAT32, ONNXRUNTIME, Results, Row, Window, ours
from style import BLUE, DASHES, GREY, INK, ORANGE, PURPLE, RED, STYLE, THOUSANDS, name_ends, sign, two_panels

_SHARED = " shared with the load generator"


def draw(results: Results, folder: Path) -> dict[Path, str]:
    """Write every chart as PNG; return what each shows, by file."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {}
    for name, figure in figures(results):
        figure.savefig(folder / name, dpi=144, metadata={"Software": None})
        drawn[folder / name] = figure.get_suptitle()
    return drawn


def figures(results: Results) -> Iterator[tuple[str, Figure]]:
    """Yield every chart by its file's name, each closed when the next is asked for."""
    charts: dict[str, tuple[Callable[[Results], Figure], str]] = {
        "engines.png": (comparisons.engines, ""),
        "latency-vs-load.png": (_latency, _SHARED),
        "throughput-vs-batch.png": (_batches, _SHARED),
    }
    for name, (chart, cores) in charts.items():
        with plt.rc_context(STYLE):
            figure = chart(results)
            sign(figure, results.machine, what=cores)
            yield name, figure
            plt.close(figure)


def _latency(results: Results) -> Figure:
    """Draw latency on the left and the outcome of requests on the right."""
    server = ours(results.default)
    rows = [(load.percent or 0, row) for load in OPEN if (row := results.row(server, load.name))]
    percents = [percent for percent, _ in rows]
    figure, (latency, fate) = two_panels(_beyond(rows), 5.0)
    figure.subplots_adjust(right=0.895, wspace=0.66)
    for axes in (latency, fate):
        axes.set_xlabel("load offered, % of capacity")
        axes.set_xticks(percents)
        axes.set_xlim(min(percents, default=0), max(percents, default=1) + 1e-9)
    _draw_latencies(latency, rows)
    seconds = results.settings["seconds"]
    offered = [row.offered_per_s or 0 for _, row in rows]
    in_time = [min(row.goodput_per_s or 0, whole) for (_, row), whole in zip(rows, offered, strict=True)]
    refused = [
        min(row.refused / seconds, all_ - good) for (_, row), all_, good in zip(rows, offered, in_time, strict=True)
    ]
    late = [all_ - good - bad for all_, good, bad in zip(offered, in_time, refused, strict=True)]
    parts = {"answered in time": (in_time, BLUE), "refused": (refused, ORANGE), "too late": (late, GREY)}
    fate.stackplot(percents, *(part for part, _ in parts.values()), colors=[colour for _, colour in parts.values()],
                   alpha=0.85, linewidth=0)  # fmt: skip
    fate.set_title("what became of the requests, a second")
    fate.yaxis.set_major_formatter(THOUSANDS)
    fate.set_ylim(0, 1.02 * max(offered, default=1))
    _name_areas(fate, percents, parts)
    return figure


def _beyond(rows: Sequence[tuple[int, Row]]) -> str:
    """Say in figures what becomes of a server under the highest load."""
    if not rows:
        return "Latency against load"
    percent, row = rows[-1]
    good = (row.goodput_per_s or 0) / (row.peak_per_s or row.offered_per_s or 1)
    return (
        f"Offered {percent} % of its peak, it answers {100 * good:.0f} % of that peak in time, p99 {row.p99_ms:.0f} ms"
    )


def _draw_latencies(axes: Axes, rows: Sequence[tuple[int, Row]]) -> None:
    """Draw p50, p99 and the deadline, each named where it ends."""
    percents = [percent for percent, _ in rows]
    lines = {
        "p50": ([row.p50_ms or math.nan for _, row in rows], BLUE),
        "p99": ([row.p99_ms or math.nan for _, row in rows], RED),
    }
    for values, colour in lines.values():
        axes.plot(percents, values, "o-", color=colour, clip_on=False)
    axes.axhline(DEADLINE_MS, color=INK, linestyle=DASHES, linewidth=1.2)
    every = [value for values, _ in lines.values() for value in values if value == value]
    axes.set_yscale("log")
    axes.set_ylim(10 ** math.floor(math.log10(min(*every, DEADLINE_MS))), 2 * max(*every, DEADLINE_MS))
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.set_title("latency of what was answered, ms")
    shown = {name: f"{values[-1]:,.{0 if values[-1] >= 100 else 1}f}" for name, (values, _) in lines.items() if values}
    ends = [(lines[name][0][-1], f"{name}, {text}", lines[name][1]) for name, text in shown.items()]
    name_ends(axes, max(percents, default=1), [*ends, (DEADLINE_MS, f"deadline, {DEADLINE_MS}", INK)])


def _name_areas(axes: Axes, percents: Sequence[int], parts: Mapping[str, tuple[list[float], str]]) -> None:
    """Name what is to be seen of each area, thin ones too."""
    below, ends = 0.0, []
    for name, (part, colour) in parts.items():
        last = part[-1] if part else 0
        if max(part, default=0) > 0.002 * axes.get_ylim()[1]:
            ends.append((below + last / 2, name.replace(" in ", "\nin "), colour))
        below += last
    name_ends(axes, max(percents, default=1), ends)


def _batches(results: Results) -> Figure:
    """Draw both panels over the limit on a batch, a line for each engine."""
    figure, (rate, cpu) = two_panels(_batching(results.windows), 4.8)
    figure.subplots_adjust(right=0.87, wspace=0.45)
    limits = sorted({window.max_batch_rows for window in results.windows})
    for axes in (rate, cpu):
        axes.set_xscale("log", base=2)
        axes.set_xticks(limits, [str(limit) for limit in limits])
        axes.minorticks_off()
        axes.set_xlabel("most sentences in a batch")
    rate.set_title("sentences a second, 128 requests in flight")
    cpu.set_title("server CPU-seconds per 1,000")
    rate.yaxis.set_major_formatter(THOUSANDS)
    _draw_windows(rate, results.windows, [window.sentences_per_s for window in results.windows])
    _draw_windows(cpu, results.windows, [window.cpu_s_per_1000 or 0 for window in results.windows])
    return figure


def _draw_windows(axes: Axes, windows: Sequence[Window], values: Sequence[float]) -> None:
    """Draw a line for each engine, named where it ends."""
    ends = []
    for engine, colour in ((ONNXRUNTIME, PURPLE), (FLOAT32, BLUE)):
        points = [(window.max_batch_rows, value) for window, value in zip(windows, values, strict=True)
                  if window.engine == engine]  # fmt: skip
        if points:
            axes.plot(*zip(*points, strict=True), "o-", color=colour, clip_on=False)
            ends.append((points[-1][1], engine.replace(" ", "\n"), colour))
    axes.set_ylim(0, 1.08 * max(values, default=1))
    name_ends(axes, max((window.max_batch_rows for window in windows), default=1), ends)


def _batching(windows: Sequence[Window]) -> str:
    """Say in figures what batches bring over single sentences, on each engine."""
    gains = []
    for engine in (ONNXRUNTIME, FLOAT32):
        rates = {window.max_batch_rows: window.sentences_per_s for window in windows if window.engine == engine}
        if 1 in rates and len(rates) > 1:
            gains.append(f"{engine} {max(rates.values()) / rates[1]:.1f}")
    if not gains:
        return "Sentences a second by the largest batch"
    return f"Batches bring {' and '.join(gains)} times the sentences of single ones"
