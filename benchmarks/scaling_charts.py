"""The load at which a cluster's latency bends, as pictures. Measures nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from scenarios import HOT_LOAD, REPLICAS
from style import BLUE, DASHES, GREY, INK, ORANGE, RED, SKY, STYLE, THOUSANDS, name_ends, sign, two_panels

Found = Mapping[str, Any]
_NAMES = {"round robin": "calls in turn", "least requests": "fewest on their way", "two choices": "better of two"}
_COLOURS = {"round robin": RED, "least requests": BLUE, "two choices": SKY}


def draw(found: Found, folder: Path) -> list[Path]:
    """Write every chart as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, figure in figures(found):
        figure.savefig(folder / name, dpi=110, metadata={"Software": None})
        drawn.append(folder / name)
    return drawn


def figures(found: Found) -> Iterator[tuple[str, Figure]]:
    """Yield every chart by its file's name, each closed when the next is asked for."""
    charts: dict[str, Callable[[Found], Figure]] = {
        "scaling-load.png": _load,
        "scaling-balancing.png": _balancing,
        "scaling-cold-start.png": _cold,
    }
    for name, chart in charts.items():
        with plt.rc_context(STYLE):
            figure = chart(found["simulated"])
            sign(figure, found["machine"], what=": costs measured there, the rest simulated")
            yield name, figure
            plt.close(figure)


def _load(simulated: Found) -> Figure:
    """Draw p50 and p99, a line for each number of replicas."""
    figure, panels = two_panels(_load_headline(simulated["load"]), 4.8)
    figure.subplots_adjust(right=0.89)
    colours = {1: RED, 4: ORANGE, 16: SKY, 64: BLUE}
    for axes, name in zip(panels, ("p50_ms", "p99_ms"), strict=True):
        ends = []
        for size, colour in colours.items():
            points = [each for each in simulated["load"] if each["replicas"] == size]
            shares, values = [each["load"] for each in points], [each[name] for each in points]
            axes.plot(shares, values, "o-", color=colour, markersize=5, clip_on=False)
            ends.append((values[-1], f"{size} replica{'s' * (size > 1)}", colour))
        axes.set_title(f"single sentences: {name[:3]}, ms")
        axes.set_ylim(bottom=0)
        axes.set_xlim(0.28, 0.95)
        axes.set_xlabel("load offered, % of what the replicas can do")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    name_ends(panels[1], 0.95, ends)  # the same colours on the left, in nearly the same order
    return figure


def _load_headline(points: Sequence[Found]) -> str:
    """Say in figures what more replicas bring, at the highest load that fewest and most were put under."""
    few, many = (pick(each["replicas"] for each in points) for pick in (min, max))
    shared = {each["load"] for each in points if each["replicas"] == few} & {
        each["load"] for each in points if each["replicas"] == many
    }
    at = max(shared)
    one, other = (
        next(each["p99_ms"] for each in points if (each["replicas"], each["load"]) == (size, at))
        for size in (few, many)
    )
    return (
        f"At {at:.0%} load p99 is {one:.0f} ms with {few} one-core replica{'s' * (few > 1)}, {other:.0f} ms with {many}"
    )


def _balancing(simulated: Found) -> Figure:
    """Draw connections that stay on the left, a slow replica on the right."""
    figure, (sticky, slow) = two_panels(_balancing_headline(simulated["slow"]), 4.8)
    figure.subplots_adjust(right=0.86, wspace=0.3)
    _draw_connections(sticky, simulated)
    last, ends = _draw_slow(slow, simulated)
    for axes in (sticky, slow):
        axes.set_yscale("log")
        axes.set_ylim(1, 400)
        axes.set_yticks([1, 3, 10, 30, 100, 300])
        axes.minorticks_off()
        axes.yaxis.set_major_formatter(THOUSANDS)
    name_ends(slow, last, ends)
    return figure


def _balancing_headline(points: Sequence[Found]) -> str:
    """Say in figures what counting calls brings where a replica is slow."""
    last = max(each["load"] for each in points)
    p99_ms = {each["policy"]: each["p99_ms"] for each in points if each["load"] == last}
    return (
        f"Beside a slow replica, counting calls keeps p99 at {p99_ms['least requests']:,.0f} ms "
        f"where turns make it {p99_ms['round robin']:,.0f}"
    )


def _draw_connections(axes: Axes, simulated: Found) -> None:
    """Draw p99 by connections that stay at their replica, beside that of calls in turn."""
    hot = [each for each in simulated["connections"] if each["policy"] == "connection"]
    (turns,) = (each for each in simulated["connections"] if each["policy"] != "connection")
    counts = [each["connections"] for each in hot]
    axes.plot(counts, [each["p99_ms"] for each in hot], "o-", color=RED)
    axes.axhline(turns["p99_ms"], color=BLUE, linestyle=DASHES)
    axes.text(counts[-1], turns["p99_ms"] * 0.82, "calls in turn", color=BLUE, ha="right", va="top", fontweight="bold")
    for each in hot:
        if each["lost"] > 0.0005:
            axes.annotate(f"{each['lost']:.0%}\nlost", (each["connections"], each["p99_ms"]), (0, 8),
                            textcoords="offset points", color=INK, fontsize=9, ha="center")  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.set_xlabel(f"connections of all callers, at {REPLICAS} replicas {HOT_LOAD:.0%} used")
    axes.set_title("a connection stays at its replica: p99, ms")


def _draw_slow(axes: Axes, simulated: Found) -> tuple[float, list[tuple[float, str, str]]]:
    """Draw p99 by load for each policy where one replica is slow; return where the lines end, and their names."""
    ends = []
    for policy, colour in _COLOURS.items():
        points = [each for each in simulated["slow"] if each["policy"] == policy]
        axes.plot([each["load"] for each in points], [each["p99_ms"] for each in points], "o-", color=colour)
        ends.append((points[-1]["p99_ms"], _NAMES[policy].replace(" on ", "\non "), colour))
        for each in points:
            if each["lost"] > 0.0005:
                axes.annotate(f"{each['lost']:.1%} lost", (each["load"], each["p99_ms"]), (-4, 10), ha="center",
                              textcoords="offset points", color=INK, fontsize=9)  # fmt: skip
    last = simulated["slow"][-1]["load"]
    axes.set_xlabel(f"load offered, % of what {REPLICAS} sound replicas can do")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_title("one of eight is 3 times slower: p99, ms")
    return last, ends


def _cold(simulated: Found) -> Figure:
    """Draw the share answered in time, second by second."""
    figure, axes = plt.subplots(figsize=(11, 4.2))
    worst = [min(each["in_time"]) for each in simulated["steps"]]
    figure.suptitle(
        f"Twice the load at once: in the worst second {min(worst):.0%} to {max(worst):.0%} is answered in time",
        x=0.01, ha="left", fontsize=15, fontweight="bold",
    )  # fmt: skip
    figure.subplots_adjust(left=0.06, right=0.97, bottom=0.2, top=0.78)
    for each, colour in zip(simulated["steps"], (GREY, RED, ORANGE, BLUE), strict=True):
        seconds = [second + 0.5 for second in range(len(each["in_time"]))]
        label = f"{each['name']} → {each['replicas']} replicas"
        axes.plot(seconds, each["in_time"], color=colour, label=label, clip_on=False)
    step = simulated["steps"][1]
    axes.axvline(step["step_s"], color=GREY, linestyle=DASHES, linewidth=1.2)
    axes.text(step["step_s"] + 0.2, 0.52, "twice the load", fontsize=9, color=GREY)
    axes.set_title(
        f"share answered within 250 ms; a replica answers {step['ready_s']:.1f} s after it was asked for, or as named"
    )
    axes.set_ylim(0.5, 1.01)
    axes.set_xlim(0, len(step["in_time"]))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("seconds")
    axes.legend(frameon=False, loc="lower right")
    return figure
