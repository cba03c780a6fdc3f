"""Results as pictures. Measures nothing."""

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import comparisons
from loads import DEADLINE_MS, OPEN
from results import FLOAT32, ONNXRUNTIME, Results, ours
from style import BLUE, DASHES, GREY, INK, ORANGE, RED, SKY, STYLE, THOUSANDS, sign, two_panels

_SHARED = " shared with the load generator"


def draw(results: Results, folder: Path) -> dict[Path, str]:
    """Write every chart as PNG; return what each shows, by file."""
    charts: dict[str, tuple[str, Callable[[Results], Figure], str]] = {
        "engines.png": ("Sentences a second and batch-1 latency of each engine by itself", comparisons.engines, ""),
        "peers.png": (
            "Sentences a second and CPU by load: bothends, mosec, a naive server",
            comparisons.peers,
            _SHARED,
        ),
        "latency-vs-load.png": (
            "Latency and what becomes of the requests, against the load offered",
            _latency,
            _SHARED,
        ),
        "throughput-vs-batch.png": ("Sentences a second and CPU against the largest batch", _batches, _SHARED),
    }
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {}
    with plt.rc_context(STYLE):
        for name, (what, chart, cores) in charts.items():
            figure = chart(results)
            sign(figure, results.machine, what=cores)
            figure.savefig(folder / name, dpi=144, metadata={"Software": None})
            plt.close(figure)
            drawn[folder / name] = what
    return drawn


def _latency(results: Results) -> Figure:
    """Draw latency on the left and the outcome of requests on the right."""
    figure, (latency, fate) = two_panels(f"bothends on {results.default} beyond its capacity", 5.0)
    server = ours(results.default)
    rows = [(load.percent, row) for load in OPEN if (row := results.row(server, load.name))]
    percents = [percent for percent, _ in rows]
    figure.subplots_adjust(right=0.885)
    _line(latency, percents, [row.p50_ms for _, row in rows], BLUE, name="p50")
    _line(latency, percents, [row.p99_ms for _, row in rows], RED, name="p99")
    latency.axhline(DEADLINE_MS, color=INK, linestyle=DASHES, linewidth=1.2)
    latency.text(52, DEADLINE_MS * 1.1, f"deadline, {DEADLINE_MS} ms", fontsize=9)
    latency.set_yscale("log")
    latency.set_ylim(1, 600)
    latency.minorticks_off()
    latency.yaxis.set_major_formatter(THOUSANDS)
    latency.set_title("latency of what was answered, ms")
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
    _name_areas(fate, percents[-1], parts, whole=offered[-1])
    fate.set_title("what became of the requests, a second")
    fate.yaxis.set_major_formatter(THOUSANDS)
    fate.set_ylim(bottom=0)
    for axes in (latency, fate):
        axes.set_xlabel("load offered, % of capacity")
        axes.set_xticks(percents)
        axes.set_xlim(50, 200)
    return figure


def _name_areas(axes: Axes, right: float, parts: dict[str, tuple[list[float], str]], *, whole: float) -> None:
    below = 0.0
    for name, (part, colour) in parts.items():
        if part[-1] > 0.04 * whole:  # a sliver has no room for its name, and needs none
            axes.annotate(name.replace(" in ", "\nin "), (right, below + part[-1] / 2), (6, 0), color=colour,
                          textcoords="offset points", va="center", fontweight="bold",
                          annotation_clip=False)  # fmt: skip
        below += part[-1]


def _batches(results: Results) -> Figure:
    """Draw both panels over the limit on a batch, a line for each engine."""
    figure, (rate, cpu) = two_panels("What batching brings: 128 requests of one sentence in flight", 4.8)
    for engine, colour in ((ONNXRUNTIME, SKY), (FLOAT32, BLUE)):
        windows = [window for window in results.windows if window.engine == engine]
        limits = [window.max_batch_rows for window in windows]
        if not windows:
            continue
        _line(rate, limits, [window.sentences_per_s for window in windows], colour)
        _line(cpu, limits, [window.cpu_s_per_1000 for window in windows], colour)
        for axes, last in ((rate, windows[-1].sentences_per_s), (cpu, windows[-1].cpu_s_per_1000)):
            axes.annotate(engine, (limits[-1], last or 0), (0, 12), textcoords="offset points", color=colour,
                          fontweight="bold", ha="right")  # fmt: skip
        for window in windows:
            if window.batch_rows is not None:
                at = (window.max_batch_rows, window.sentences_per_s)
                rate.annotate(f"{window.batch_rows:.1f}", at, (0, -17), textcoords="offset points", ha="center",
                              fontsize=9, color=GREY)  # fmt: skip
    rate.set_title("sentences a second")
    cpu.set_title("server CPU-seconds per 1,000 sentences")
    rate.yaxis.set_major_formatter(THOUSANDS)
    rate.text(
        0.98, 0.06, "grey: mean sentences in a batch", transform=rate.transAxes, ha="right", fontsize=9, color=GREY
    )
    limits = sorted({window.max_batch_rows for window in results.windows})
    for axes in (rate, cpu):
        axes.set_xscale("log", base=2)
        axes.set_xticks(limits, [str(limit) for limit in limits])
        axes.set_xlabel("--max-batch-rows: most sentences in a batch")
        axes.set_ylim(0, 1.08 * axes.get_ylim()[1])
    return figure


def _line(axes: Axes, x: Sequence[float | None], y: Sequence[float | None], colour: str, *, name: str = "") -> None:
    """Draw a line that is named at its start."""
    axes.plot(x, y, "o-", color=colour, clip_on=False)
    axes.annotate(name, (x[0], y[0]), (2, 9), textcoords="offset points", color=colour, fontweight="bold", va="bottom")
