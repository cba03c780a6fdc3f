"""Results as pictures. Measures nothing."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # before pyplot is loaded: there may be no display

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bothends.settings import Settings
from loads import CLOSED, DEADLINE_MS, OPEN
from results import MOSEC, NAIVE, OURS, Results, Row

# Okabe and Ito's colours, which colour-blind eyes tell apart.
BLUE, RED, ORANGE, GREY, INK = "#0072B2", "#D55E00", "#E69F00", "#8A8A8A", "#2B2B2B"
_COLOURS = {OURS: BLUE, MOSEC: RED, NAIVE: GREY}
STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": "#C8C8C8",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titlepad": 12,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#ECECEC",
    "lines.linewidth": 2.2,
    "lines.markersize": 7,
}
_DEFAULT_ROWS = Settings.model_fields["max_batch_rows"].default
THOUSANDS = FuncFormatter(lambda value, _: f"{value:,.0f}")


def draw(results: Results, folder: Path) -> dict[Path, str]:
    """Write every chart as PNG; what each shows, by file."""
    charts: dict[str, tuple[str, Callable[[Results], Figure]]] = {
        "peers.png": ("Sentences a second and CPU by load: bothends, mosec, a naive server, the ceiling", _peers),
        "latency-vs-load.png": ("Latency and what becomes of the requests, against the load offered", _latency),
        "throughput-vs-batch.png": ("Sentences a second and CPU against the largest batch", _batches),
    }
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {}
    with plt.rc_context(STYLE):
        for name, (what, chart) in charts.items():
            figure = chart(results)
            machine = results.machine
            source = (
                f"{machine['processor']}, {machine['cores']} cores shared with the load generator · {machine['date']}"
            )
            figure.text(0.01, 0.01, source, fontsize=8.5, color=GREY)
            figure.savefig(folder / name, dpi=144, metadata={"Software": None})
            plt.close(figure)
            drawn[folder / name] = what
    return drawn


def _figure(title: str, height: float) -> tuple[Figure, Sequence[Axes]]:
    figure, axes = plt.subplots(1, 2, figsize=(11, height))
    figure.suptitle(title, x=0.01, ha="left", fontsize=15, fontweight="bold")
    figure.subplots_adjust(left=0.06, right=0.97, bottom=0.19, top=0.8, wspace=0.2)
    return figure, axes


def _peers(results: Results) -> Figure:
    """A line for each load, a dot for each server."""
    figure, (rate, cpu) = _figure("The same model behind three servers", 5.8)
    figure.subplots_adjust(left=0.135, wspace=0.08, bottom=0.14, top=0.76)
    loads = sorted(CLOSED, key=lambda load: (load.batch, load.concurrency))
    places = range(len(loads), 0, -1)
    for axes, pick in ((rate, _rate), (cpu, _cpu)):
        axes.set_yticks(list(places), [load.name if axes is rate else "" for load in loads])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(0.4, len(loads) + 0.6)
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False, axis="x")
        for server, colour in reversed(_COLOURS.items()):
            rows = [results.best(server.split()[0], load.name) for load in loads]
            known = [(pick(row), at) for row, at in zip(rows, places, strict=True) if row]
            axes.plot(*zip(*known, strict=True), "o", color=colour, markersize=10, label=server, alpha=0.95)
        axes.set_xlim(left=0)
    rate.text(-0.012, 1.02, "sentences a request\n× requests in flight", transform=rate.transAxes, ha="right",
              fontsize=8.5, color=GREY)  # fmt: skip
    rate.set_title("sentences a second (more is better)")
    rate.xaxis.set_major_formatter(THOUSANDS)
    cpu.set_title("server CPU-seconds per 1,000 (less is better)")
    if results.ceiling:
        best = results.ceiling.best
        for axes, value in ((rate, best.sentences_per_s), (cpu, best.cpu_s_per_1000)):
            axes.axvline(value, color=INK, linestyle=(0, (4, 3)), linewidth=1.2)
            axes.text(value, 0.5, " the ceiling: the engine alone ", ha="right" if axes is rate else "left", fontsize=9)
        rate.set_xlim(right=best.sentences_per_s * 1.04)
    handles, _ = rate.get_legend_handles_labels()
    names = [OURS, f"{MOSEC}, with its best settings for each load", "naive: grpcio, one run of the model a request"]
    figure.legend(handles[::-1], names, loc="upper left", bbox_to_anchor=(0.0, 0.93), ncols=3, frameon=False)
    return figure


def _latency(results: Results) -> Figure:
    """Latency on the left, what became of the requests on the right."""
    figure, (latency, fate) = _figure("bothends beyond its capacity", 5.0)
    rows = [(load.percent, row) for load in OPEN if (row := results.row(OURS, load.name))]
    percents = [percent for percent, _ in rows]
    figure.subplots_adjust(right=0.885)
    _line(latency, percents, [row.p50_ms for _, row in rows], BLUE, name="p50")
    _line(latency, percents, [row.p99_ms for _, row in rows], RED, name="p99")
    latency.axhline(DEADLINE_MS, color=INK, linestyle=(0, (4, 3)), linewidth=1.2)
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
    """Both panels over the limit on a batch."""
    figure, (rate, cpu) = _figure("What batching brings: 128 requests of one sentence in flight", 4.8)
    limits = [window.max_batch_rows for window in results.windows]
    _line(rate, limits, [window.sentences_per_s for window in results.windows], BLUE)
    _line(cpu, limits, [window.cpu_s_per_1000 for window in results.windows], BLUE)
    rate.set_title("sentences a second")
    cpu.set_title("server CPU-seconds per 1,000 sentences")
    rate.yaxis.set_major_formatter(THOUSANDS)
    for window in results.windows:
        if window.batch_rows is not None:
            text = f"{window.batch_rows:.1f}"
            rate.annotate(text, (window.max_batch_rows, window.sentences_per_s), (0, -17), textcoords="offset points",
                          ha="center", fontsize=9, color=GREY)  # fmt: skip
    rate.text(
        0.98, 0.06, "grey: mean sentences in a batch", transform=rate.transAxes, ha="right", fontsize=9, color=GREY
    )
    for axes in (rate, cpu):
        axes.set_xscale("log", base=2)
        axes.set_xticks(limits, [f"{limit}\ndefault" if limit == _DEFAULT_ROWS else str(limit) for limit in limits])
        axes.set_xlabel("--max-batch-rows: most sentences in a batch")
        axes.set_ylim(bottom=0)
    return figure


def _line(axes: Axes, x: Sequence[float | None], y: Sequence[float | None], colour: str, *, name: str = "") -> None:
    """A line that is named at its start."""
    axes.plot(x, y, "o-", color=colour, clip_on=False)
    axes.annotate(name, (x[0], y[0]), (2, 9), textcoords="offset points", color=colour, fontweight="bold", va="bottom")


def _rate(row: Row) -> float | None:
    return row.sentences_per_s


def _cpu(row: Row) -> float | None:
    return row.cpu_s_per_1000
