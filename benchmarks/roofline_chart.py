"""Draws the native engine's roofline."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from machine import describe
from roofline_runs import Roofs, Run
from style import BLUE, GREY, INK, ORANGE, RED, STYLE, THOUSANDS

_COLOURS = {"float32": BLUE, "bf16": ORANGE, "int8": RED}
_MARKERS = {256: "o", 512: "s", 1024: "^"}
_LEFT, _RIGHT, _BOTTOM, _TOP = 0.25, 130, 25, 1400


def draw(runs: Sequence[Run], roofs: Roofs, level: str, file: Path) -> None:
    """Write the chart as PNG."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(11, 6.6))
        figure.suptitle(_headline(runs, roofs), x=0.01, ha="left", fontsize=15, fontweight="bold")
        figure.subplots_adjust(left=0.065, right=0.87, bottom=0.115, top=0.87)
        axes.set_title("billions of operations a second, one thread")
        axes.set_xlabel("operations for each byte of weights that a step reads: two for each sentence side by side")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(_LEFT, _RIGHT)
        axes.set_ylim(_BOTTOM, _TOP)
        axes.set_xticks([0.5, 1, 2, 4, 8, 16, 32, 64], ["½", "1", "2", "4", "8", "16", "32", "64"])
        axes.set_yticks([25, 50, 100, 200, 400, 800])
        axes.yaxis.set_major_formatter(THOUSANDS)
        axes.minorticks_off()
        _draw_roofs(axes, roofs)
        _draw_runs(axes, runs)
        handles = [
            Line2D([], [], color=INK, marker=marker, linestyle="", markersize=7, label=f"{hidden:,}")
            for hidden, marker in _MARKERS.items()
        ]
        axes.legend(handles=handles, title="hidden units", loc="lower right", frameon=False, alignment="left")
        machine = describe()
        source = f"{machine['processor']}, {machine['cores']} cores, level {level} · {machine['date']}"
        figure.text(0.01, 0.01, source, fontsize=8.5, color=GREY)
        figure.savefig(file, dpi=144, metadata={"Software": None})
        plt.close(figure)


def _headline(runs: Sequence[Run], roofs: Roofs) -> str:
    """Say in figures how near to its roof each precision comes."""
    best = {
        precision: max((run.achieved for run in runs if run.precision == precision), default=0) / peak
        for precision, peak in roofs.peaks.items()
    }
    shares = ", ".join(f"{100 * share:.0f} in {precision}" for precision, share in best.items())
    return f"The native engine, in % of what registers allow: {shares}"


def _draw_roofs(axes: Axes, roofs: Roofs) -> None:
    """Draw slopes of what memories give, grey, and levels of what registers allow, in each precision's colour."""
    highest = max(roofs.peaks.values())
    fastest = max(roofs.bandwidths.values())
    for name, rate in roofs.bandwidths.items():
        ends = [_LEFT, highest / rate]
        axes.plot(ends, [end * rate / 1e9 for end in ends], color=GREY, linewidth=1.3, zorder=1)
        index = max(_LEFT, _BOTTOM * 1e9 / rate) * 1.06
        axes.annotate(f"{name}, {rate / 1e9:,.0f} GB/s", (index, index * rate / 1e9), xytext=(0, 4), rotation=45,
                      textcoords="offset points", rotation_mode="anchor", transform_rotates_text=True,
                      fontsize=9, color=GREY)  # fmt: skip
    for precision, peak in roofs.peaks.items():
        colour = _COLOURS[precision]
        axes.plot([peak / fastest, _RIGHT], [peak / 1e9] * 2, color=colour, linewidth=1.3, linestyle=(0, (4, 3)))
        axes.annotate(f"{precision}: {peak / 1e9:,.0f}\nfrom registers", (_RIGHT, peak / 1e9), xytext=(6, 0),
                      textcoords="offset points", color=colour, va="center", fontsize=9.5,
                      annotation_clip=False)  # fmt: skip


def _draw_runs(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw a line for each precision and size, a mark for each number of slots."""
    for hidden, marker in _MARKERS.items():
        for precision, colour in _COLOURS.items():
            own = [run for run in runs if (run.hidden, run.precision) == (hidden, precision)]
            axes.plot([run.intensity for run in own], [run.achieved / 1e9 for run in own], color=colour, marker=marker,
                      linewidth=1.6, markersize=6, alpha=0.9, markeredgecolor="white",
                      markeredgewidth=0.7)  # fmt: skip
            if hidden == max(_MARKERS) and precision == "float32":  # the lowest line: there is room below it
                for run in own:
                    text = (
                        f"{run.slots}\nside by side" if run.slots == max(each.slots for each in own) else str(run.slots)
                    )
                    axes.annotate(text, (run.intensity, run.achieved / 1e9), xytext=(0, -7), color=colour, fontsize=9,
                                  textcoords="offset points", ha="center", va="top")  # fmt: skip
