"""The look of pictures: colours and type. Draws nothing by itself."""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # before pyplot is loaded: there may be no display

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

# Okabe and Ito's colours, which colour-blind eyes tell apart.
BLUE, SKY, RED, ORANGE, GREEN, PURPLE = "#0072B2", "#56B4E9", "#D55E00", "#E69F00", "#009E73", "#CC79A7"
GREY, INK = "#8A8A8A", "#2B2B2B"
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
THOUSANDS = FuncFormatter(lambda value, _: f"{value:,.0f}")
DASHES = (0, (4, 3))
_PICTURES = Path(__file__).parent.parent / "docs" / "images" / "pictures.py"


def save(named: Iterable[tuple[str, Figure]], folder: Path) -> dict[Path, str]:
    """Write figures as PNG, each by its file's name; return each one's headline, by file."""
    folder.mkdir(parents=True, exist_ok=True)
    saved = {}
    for name, figure in named:
        figure.savefig(folder / name, dpi=144, metadata={"Software": None})
        saved[folder / name] = figure.get_suptitle()
    return saved


def mark(*names: str) -> None:
    """Mark pictures of the documents as made of what they show now."""
    subprocess.run([sys.executable, str(_PICTURES), "--mark", *names], stdout=subprocess.DEVNULL, check=False)


def sign(figure: Figure, machine: Mapping[str, str], *, what: str) -> None:
    """Write at the foot what it was measured on, and when."""
    source = f"{machine['processor']}, {machine['cores']} cores{what} · {machine['date']}"
    figure.text(0.01, 0.01, source, fontsize=8.5, color=GREY)
