"""Draws benchmarks/encoder.json as pictures."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from style import BLUE, GREY, INK, ORANGE, RED, STYLE, THOUSANDS

PUBLISHED = {
    "GloVe average": (61.5, 55.4),
    "InferSent": (68.0, 65.7),
    "LASER2": (69.8, 62.9),
    "potion-base-8M": (75.4, 64.7),
    "static-similarity-mrl": (79.9, 68.3),
    "all-MiniLM-L6-v2": (82.0, 77.6),
}
"""Spearman × 100 on the test sets of STS-B and SICK-R as others published them."""
_TITLES = ("STS-B", "SICK")
_LABELS = {
    "bothends": ("bothends", "native engine:\n512, 256, 128,\n64 numbers", 46),
    "bothends, onnxruntime": (None, "onnx-\nruntime", -14),
    "all-MiniLM-L6-v2": ("all-MiniLM-L6-v2", "float32", -11),
    "all-MiniLM-L6-v2, int8": (None, "int8", 0),
}
"""Words above a model's dots, and below, with how far aside the latter stand."""
_LINE = 1.7
"""Height of a label, in points of the scale."""


def draw(result: Mapping[str, Any], folder: Path) -> None:
    """Write quality-vs-speed.png and, where there is a history, learning-curves.png."""
    for name, figure in figures(result):
        figure.savefig(folder / name, dpi=144, metadata={"Software": None})


def figures(result: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Yield every chart by its file's name, each closed when the next is asked for."""
    charts: dict[str, Callable[[Mapping[str, Any]], Figure]] = {"quality-vs-speed.png": _quality}
    if result.get("history"):
        charts["learning-curves.png"] = _curves
    for name, chart in charts.items():
        with plt.rc_context(STYLE):
            figure = chart(result)
            yield name, figure
            plt.close(figure)


def _quality(result: Mapping[str, Any]) -> Figure:
    """Draw a panel for each dev file: our sizes in a column, others a dot each, published figures beside it."""
    figure, axes = plt.subplots(1, 2, figsize=(12, 5.6))
    figure.suptitle(_headline(result["models"]), x=0.01, ha="left", fontsize=15, fontweight="bold")
    figure.subplots_adjust(left=0.06, right=0.86, bottom=0.17, top=0.83, wspace=0.58)
    names = list(result["models"][0]["scores"])
    for number, (panel, name) in enumerate(zip(axes, names, strict=True)):
        _panel(panel, result["models"], name)
        panel.set_title(f"{_TITLES[number]} dev, Spearman × 100")
        strip = panel.inset_axes((1.03, 0, 0.05, 1), sharey=panel)
        strip.axis("off")
        strip.set_title("published,\ntest set", fontsize=8.5, color=GREY, loc="left")
        place = 0.0
        for model, scores in sorted(PUBLISHED.items(), key=lambda item: item[1][number]):
            strip.plot([0, 1], [scores[number]] * 2, color=GREY, linewidth=1.6)
            place = max(place + _LINE, scores[number])
            strip.annotate(model, (1, place), xytext=(4, 0), textcoords="offset points", va="center",
                           fontsize=8.5, color=GREY, annotation_clip=False)  # fmt: skip
    machine = result["machine"]
    figure.text(0.01, 0.01, f"{machine['processor']}, one core, text to vector · {machine['date']}",
                fontsize=8.5, color=GREY)  # fmt: skip
    return figure


def _headline(models: list[dict[str, Any]]) -> str:
    """Say in figures what the picture shows."""
    ours, other = (
        next(model for model in models if model["name"] == name) for name in ("bothends", "all-MiniLM-L6-v2")
    )
    ahead = [max(ours["scores"][of].values()) - max(other["scores"][of].values()) for of in ours["scores"]]
    points = (f"{abs(by):.1f} {'ahead' if by > 0 else 'behind'} on {of}" for by, of in zip(ahead, _TITLES, strict=True))
    times = ours["sentences_per_s"] / other["sentences_per_s"]
    return f"{times:.0f} times as fast as {other['name']}: {', '.join(points)}"


def _panel(panel: Axes, models: list[dict[str, Any]], name: str) -> None:
    for model, colour in zip(models, (BLUE, BLUE, ORANGE, RED, RED), strict=True):
        speed, scores = model["sentences_per_s"], model["scores"][name]
        panel.plot([speed] * len(scores), list(scores.values()), "o-", color=colour, markersize=8)
        whole, low = list(scores.values())[-1], min(scores.values())
        title, text, aside = _LABELS.get(model["name"], (None, model["name"].replace("averaged ", "averaged\n"), 0))
        if title:
            beside, above = (-8, 9) if model is models[0] else (-22, 16)
            panel.annotate(title, (speed, whole), xytext=(beside, above), textcoords="offset points", fontsize=10.5,
                           fontweight="bold", color=colour)  # fmt: skip
        panel.annotate(text, (speed, low), xytext=(aside, -10), textcoords="offset points", ha="center", va="top",
                       fontsize=9, color=colour)  # fmt: skip
    panel.set_xscale("log")
    panel.set_xlim(90, 500_000)
    panel.set_ylim(54, 90)
    panel.xaxis.set_major_formatter(THOUSANDS)
    panel.set_xlabel("sentences a second, logarithmic")


def _curves(result: Mapping[str, Any]) -> Figure:
    """Draw dev scores by step."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.4))
    history = result["history"]
    names = list(result["models"][0]["scores"])
    grown = ", ".join(f"{history[0][name]:.1f} to {history[-1][name]:.1f} on {title}"
                      for name, title in zip(names, _TITLES, strict=True))  # fmt: skip
    figure.suptitle(f"What {history[-1]['step']:,} steps brought: {grown}", x=0.01, ha="left", fontsize=15,
                    fontweight="bold")  # fmt: skip
    figure.subplots_adjust(left=0.06, right=0.95, bottom=0.14, top=0.8, wspace=0.2)
    for number, (panel, name) in enumerate(zip(axes, names, strict=True)):
        panel.plot([entry["step"] for entry in history], [entry[name] for entry in history], color=BLUE)
        last = history[-1]
        panel.annotate(f"{last[name]:.1f}", (last["step"], last[name]), xytext=(5, 0), textcoords="offset points",
                       va="center", color=INK)  # fmt: skip
        panel.set_title(f"{_TITLES[number]} dev, Spearman × 100")
        panel.xaxis.set_major_locator(MaxNLocator(5))
        panel.xaxis.set_major_formatter(THOUSANDS)
        panel.set_xlabel("steps")
    return figure
