"""Draws encoders of all kinds: how many times onnxruntime's sentences each engine computes."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from results import BF16, FLOAT32, INT8, ONNXRUNTIME
from style import BLUE, GREEN, GREY, ORANGE, SKY, STYLE, save

from .page import CHART, headline
from .results import PYTORCH, TOKENS, EncoderResults

_COLOURS = {INT8: SKY, BF16: GREEN, FLOAT32: BLUE, PYTORCH: ORANGE}
_HEIGHT = 0.2
"""Thickness of a bar, where encoders stand 1 apart."""


def draw(results: EncoderResults, folder: Path) -> Path:
    """Write the chart as PNG."""
    save(figures(results), folder)
    return folder / CHART


def figures(results: EncoderResults) -> Iterator[tuple[str, Figure]]:
    """Yield the chart by its file's name, closed when the next is asked for."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(11, 1.6 + 0.52 * len(results.rows)))
        figure.suptitle(headline(results), x=0.01, ha="left", fontsize=15, fontweight="bold")
        top = 1 - 1.25 / figure.get_figheight()
        figure.subplots_adjust(left=0.27, right=0.96, bottom=0.62 / figure.get_figheight(), top=top)
        for index, row in enumerate(reversed(results.rows)):
            for at, (engine, colour) in enumerate(_COLOURS.items()):
                height = index + ((len(_COLOURS) - 1) / 2 - at) * _HEIGHT
                ratio = row.times(engine, ONNXRUNTIME)
                axes.barh(height, ratio or 0, height=0.9 * _HEIGHT, color=colour)
                text = f" {ratio:.1f}" if ratio else " not computed"
                axes.text(ratio or 0, height, text, va="center", fontsize=7.5, color="black" if ratio else GREY)
        axes.axvline(1, color=GREY, linewidth=1.2)
        axes.set_yticks(range(len(results.rows)), [row.name for row in reversed(results.rows)])
        axes.set_ylim(-0.6, len(results.rows) - 0.4)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.set_title(f"times onnxruntime's sentences of {TOKENS[0]} tokens in a second of a core", fontsize=10.5)
        marks = [Rectangle((0, 0), 1, 1, color=colour) for colour in _COLOURS.values()]
        figure.legend(marks, list(_COLOURS), loc="upper left", bbox_to_anchor=(0.0, 1 - 0.5 / figure.get_figheight()),
                      ncols=4, frameon=False, fontsize=10, columnspacing=1.4, handletextpad=0.5)  # fmt: skip
        machine = results.machine
        figure.text(0.01, 0.01, f"{machine['processor']}, one core · {machine['date']}", fontsize=8.5, color=GREY)
        yield CHART, figure
        plt.close(figure)
