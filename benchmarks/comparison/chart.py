"""Draws the servers beside each other: bars of sentences a second, by load."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from style import BLUE, GREEN, PURPLE, RED, SKY, STYLE, THOUSANDS, save, sign

from .results import ComparisonResults
from .summary import CHART, headline, rows_by_load

_COLOURS = {
    "bothends, int8, gRPC": SKY,
    "bothends, int8, HTTP": GREEN,
    "bothends, float32, gRPC": BLUE,
    "bothends, float32, HTTP": PURPLE,
    "mosec at its best settings": RED,
}
_HEIGHT = 0.12
"""Thickness of a bar, where loads stand 1 apart."""


def draw(found: ComparisonResults, folder: Path) -> Path:
    """Write the chart as PNG."""
    save(figures(found), folder)
    return folder / CHART


def figures(found: ComparisonResults) -> Iterator[tuple[str, Figure]]:
    """Yield the chart by its file's name, closed when the next is asked for."""
    shown = rows_by_load(found)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(11, 8))
        figure.suptitle(headline(found), x=0.01, ha="left", fontsize=15, fontweight="bold")
        figure.subplots_adjust(left=0.15, right=0.95, bottom=0.1, top=0.82)
        for index, rows in enumerate(reversed(shown.values())):
            for at, (name, row) in enumerate(rows):
                height = index + ((len(rows) - 1) / 2 - at) * _HEIGHT
                axes.barh(height, row.sentences_per_s, height=0.9 * _HEIGHT, color=_COLOURS[name])
                axes.text(row.sentences_per_s, height, f" {row.sentences_per_s:,.0f}", va="center", fontsize=8)
        axes.set_yticks(range(len(shown)), reversed(shown))
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_formatter(THOUSANDS)
        tokens = found.sentences["short"]["mean_tokens"]
        axes.set_title(
            f"sentences of {tokens:.0f} tokens a second, by sentences a request × requests in flight; "
            "mosec runs onnxruntime"
        )
        marks = [Rectangle((0, 0), 1, 1, color=colour) for colour in _COLOURS.values()]
        figure.legend(marks, list(_COLOURS), loc="upper left", bbox_to_anchor=(0.0, 0.95), ncols=4, frameon=False,
                      fontsize=10, columnspacing=1.4, handletextpad=0.5)  # fmt: skip
        sign(figure, found.machine, what=" shared with the load generator")
        yield CHART, figure
        plt.close(figure)
