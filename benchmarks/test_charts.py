"""Results as charts: titles say in figures what they show, and labels touch neither each other nor lines."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib", reason="matplotlib is missing (pip install matplotlib)")

from matplotlib.figure import Figure

import charts
import encoder_charts
import loads
import scaling_charts
from front import chart as front_chart
from front.results import FrontResults
from results import FLOAT32, MOSEC, Results, ours
from sample_results import row
from touching import touching

DOCS = Path(__file__).parent.parent / "docs"


def named(results: Results, name: str) -> Any:
    """Return one chart of a run."""
    return next(figure for file, figure in charts.figures(results) if file == name)


def drawn() -> Iterator[tuple[str, Any]]:
    """Every chart of the documents' figures, by its file's name."""
    yield from charts.figures(Results.open(DOCS / "performance.json"))
    yield from front_chart.figures(FrontResults.open(DOCS / "performance.json"))
    yield from scaling_charts.figures(json.loads((DOCS / "scaling.json").read_text("utf-8")))
    yield from encoder_charts.figures(json.loads((DOCS / "encoder.json").read_text("utf-8")))


def overloaded(results: Results, *, late: float, refused: float, scale: float) -> Results:
    """The same results with open loops at each load: so many times the latency, and these shares late and refused."""
    rows = [each for each in results.rows if not each.load.startswith("open loop")]
    for load in loads.OPEN:
        offered = 6000.0 * (load.percent or 0) / 100
        beyond = max(0.0, offered - 6000)
        rows.append(
            row(
                ours(FLOAT32), load.name, p50_ms=2 * scale, p99_ms=2.1 * scale,
                offered_per_s=offered, peak_per_s=6000.0,
                goodput_per_s=offered - (late + refused) * beyond,
                refused=refused * beyond * results.settings["seconds"],
            )
        )  # fmt: skip
    return replace(results, rows=rows)


def test_charts_are_drawn(results: Results, tmp_path: Path) -> None:
    """Charts can be drawn even of a run that lacks most rows."""
    assert all(file.stat().st_size > 10_000 for file in charts.draw(results, tmp_path))


def test_no_labels_touch_in_the_documents() -> None:
    """Labels lie neither on each other nor on a line, and none is cut."""
    assert {name: found for name, figure in drawn() if (found := touching(figure))} == {}


def test_each_title_says_in_figures_what_is_shown() -> None:
    """A title without a number would say only what is measured."""
    titles = {name: figure.get_suptitle() for name, figure in drawn()}
    assert len(titles) == 10
    assert {name: title for name, title in titles.items() if not any(map(str.isdigit, title))} == {}


@pytest.mark.parametrize("scale", [0.1, 1.0, 110.0, 500.0])
@pytest.mark.parametrize(("late", "refused"), [(0, 1), (1, 0), (0.02, 0.97), (0.97, 0.02)])
def test_lines_are_named_whatever_the_figures(results: Results, late: float, refused: float, scale: float) -> None:
    """Lines that nearly meet and areas that are slivers have names that touch nothing; each line has one."""
    figure = named(overloaded(results, late=late, refused=refused, scale=scale), "latency-vs-load.png")
    assert touching(figure) == []
    latency, fate = figure.axes
    assert {text.get_text().partition(",")[0] for text in latency.texts} == {"p50", "p99", "deadline"}
    expected = {"answered\nin time", *(["refused"] if refused else []), *(["too late"] if late else [])}
    assert {text.get_text() for text in fate.texts} == expected


@pytest.mark.parametrize("factor", [0.2, 1.0, 30.0])
def test_peers_are_told_apart_whatever_the_figures(results: Results, factor: float) -> None:
    """Bars and their numbers touch nothing, where a peer is far slower, as fast, or far faster."""
    rows = [
        replace(each, sentences_per_s=each.sentences_per_s * factor) if each.server.startswith(MOSEC) else each
        for each in results.rows
    ]
    figure = named(replace(results, rows=rows), "peers.png")
    assert touching(figure) == []
    assert f"{1.5 / factor:.1f} to " in figure.get_suptitle()


def test_touching_texts_are_found() -> None:
    """The check itself sees a label on a label, on a line, and one that is cut."""
    figure = Figure()
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1])
    for x, y, text in ((0.5, 0.5, "on the line"), (0.6, 0.49, "on it"), (0.95, 0.2, "far beyond the right edge of it")):
        axes.text(x, y, text)
    assert touching(figure) == [
        "'on the line' lies on 'on it'",
        "'far beyond the right edge of it' is cut",
        "'on the line' lies on a line",
    ]
