"""Draws the packaged model's quality, on test sets and in search, against its speed, beside other models'."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from style import BLUE, DASHES, GREY, ORANGE, RED, STYLE, THOUSANDS, save

CHART = "quality-vs-speed.png"
OURS, MINI_LM = "bothends", "all-MiniLM-L6-v2"
_PANELS: dict[str, Sequence[str]] = {"STS-B": ["STS-B test"], "STS12 to 15": ["STS12", "STS13", "STS14", "STS15"]}
"""Sets that a panel shows the mean of. SICK isn't among them: what others publish of it is of other pairs."""
_SEARCH = ("CACM", "CISI")
"""Collections that the third panel shows the mean of."""
_MARKS: dict[str, tuple[str, str, tuple[int, int], str]] = {
    OURS: ("bothends", BLUE, (10, 2), "left"),
    "bothends, onnxruntime": ("onnxruntime", BLUE, (6, -20), "right"),
    "averaged token vectors": ("averaged token vectors", ORANGE, (8, 11), "right"),
    MINI_LM: (MINI_LM, RED, (-12, 11), "left"),
}
"""Label, colour, and where the label stands, of each model whose speed was measured too."""
_NAMES = {"static-similarity-mrl-multilingual-v1": "static-similarity-mrl"}
_LINE = 1.25
"""Height of a label, in points of the scale."""


def draw(speeds: Mapping[str, Any], scores: Mapping[str, Any], folder: Path) -> None:
    """Write the chart as PNG: `speeds` are those of encoder.json, `scores` those of quality.json."""
    save(figures(speeds, scores), folder)


def figures(speeds: Mapping[str, Any], scores: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Yield the chart by its file's name, closed when the next is asked for."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, 3, figsize=(16, 5.6))
        figure.suptitle(headline(speeds, scores), x=0.01, ha="left", fontsize=15, fontweight="bold")
        figure.subplots_adjust(left=0.04, right=0.985, bottom=0.17, top=0.83, wspace=0.6)
        for panel, (title, sets) in zip(axes[:2], _PANELS.items(), strict=True):
            _panel(panel, speeds["models"], scores["measured"]["models"], sets, limits=(58, 90))
            panel.set_title(f"{title} test, Spearman × 100")
            _published(panel, scores["published"], sets)
        _panel(axes[2], speeds["models"], scores["retrieval"]["models"], _SEARCH, limits=(18, 50))
        _words(axes[2], scores["retrieval"]["models"])
        axes[2].set_title("search in CACM and CISI, nDCG@10 × 100")
        machine = speeds["machine"]
        source = f"speed: {machine['processor']}, one core, text to vector · {machine['date']}"
        shown = "bothends, which CACM and CISI helped to choose, in 512, 256, 128 and 64 numbers"
        figure.text(0.01, 0.01, f"{source}; {shown}", fontsize=8.5, color=GREY)
        yield CHART, figure
        plt.close(figure)


def headline(speeds: Mapping[str, Any], scores: Mapping[str, Any]) -> str:
    """Say in figures what the picture shows."""
    rates = {model["name"]: model["sentences_per_s"] for model in speeds["models"]}
    points = []
    for title, sets, models in (
        *((title, sets, scores["measured"]["models"]) for title, sets in _PANELS.items()),
        ("search", _SEARCH, scores["retrieval"]["models"]),
    ):
        ours, other = (_of(models, name, sets)[0] for name in (OURS, MINI_LM))
        by = round(ours, 1) - round(other, 1)
        gap = "level" if abs(by) < 0.05 else f"{abs(by):.1f} {'ahead' if by > 0 else 'behind'}"
        points.append(f"{gap} {'in' if title == 'search' else 'on'} {title}")
    return f"{rates[OURS] / rates[MINI_LM]:.0f} times as fast as {MINI_LM}: {', '.join(points)}"


def _of(models: Sequence[Mapping[str, Any]], name: str, sets: Sequence[str]) -> list[float]:
    """Return the model's means over `sets`, at each of its sizes, the largest first."""
    whole = OURS if name.startswith(OURS) else name
    means = [sum(model["scores"][each] for each in sets) / len(sets) for model in models if model["name"] == whole]
    return means if name == whole else means[:1]


def _panel(
    panel: Axes,
    speeds: Sequence[Mapping[str, Any]],
    models: Sequence[Mapping[str, Any]],
    sets: Sequence[str],
    *,
    limits: tuple[float, float],
) -> None:
    """Draw our sizes in a column, others a dot each."""
    for measured in speeds:
        if (name := measured["name"]) not in _MARKS:
            continue
        found, speed, (label, colour, beside, across) = (
            _of(models, name, sets),
            measured["sentences_per_s"],
            _MARKS[name],
        )
        panel.plot([speed] * len(found), found, "o-", color=colour, markersize=8)
        panel.annotate(label, (speed, found[0]), xytext=beside, textcoords="offset points", fontsize=9.5, ha=across,
                       fontweight="bold", color=colour)  # fmt: skip
    panel.set_xscale("log")
    panel.set_xlim(90, 500_000)
    panel.set_ylim(*limits)
    panel.xaxis.set_major_formatter(THOUSANDS)
    panel.set_xlabel("sentences a second, logarithmic")


def _words(panel: Axes, models: Sequence[Mapping[str, Any]]) -> None:
    """Draw what BM25 finds, which has no vectors to compute."""
    (score,) = (sum(model["scores"].values()) / len(_SEARCH) for model in models if model["name"].startswith("BM25"))
    panel.axhline(score, color=GREY, linewidth=1.6, linestyle=DASHES)
    panel.annotate(f"BM25, by words alone {score:.1f}", (0.98, score), xycoords=("axes fraction", "data"),
                   xytext=(0, 4), textcoords="offset points", ha="right", fontsize=8.5, color=GREY)  # fmt: skip


def _published(panel: Axes, models: Sequence[Mapping[str, Any]], sets: Sequence[str]) -> None:
    """Draw beside the panel what others published of the same sets."""
    strip = panel.inset_axes((1.03, 0, 0.05, 1), sharey=panel)
    strip.axis("off")
    strip.set_title("published", fontsize=8.5, color=GREY, loc="left")
    found = {
        model["name"]: sum(model["scores"][each] for each in sets) / len(sets)
        for model in models
        if all(each in model["scores"] for each in sets)
    }
    index = 0.0
    for name, score in sorted(found.items(), key=lambda item: item[1]):
        strip.plot([0, 1], [score] * 2, color=GREY, linewidth=1.6)
        index = max(index + _LINE, score)
        strip.annotate(f"{_NAMES.get(name, name)} {score:.1f}", (1, index), xytext=(4, 0), textcoords="offset points",
                       va="center", fontsize=8.5, color=GREY, annotation_clip=False)  # fmt: skip
