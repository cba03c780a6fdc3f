"""Results as charts: they can be drawn, and titles say in figures what they show."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib", reason="matplotlib is missing (pip install matplotlib)")

import charts
import encoder_charts
from comparison import chart as comparison_chart
from comparison.results import ComparisonResults
from results import Results

HERE = Path(__file__).parent


def drawn() -> Iterator[tuple[str, Any]]:
    """Every chart of the documents' figures, by its file's name."""
    yield from charts.figures(Results.open(HERE / "performance.json"))
    yield from comparison_chart.figures(ComparisonResults.open(HERE / "performance.json"))
    yield from encoder_charts.figures(json.loads((HERE / "encoder.json").read_text("utf-8")))


def test_charts_are_drawn(results: Results, tmp_path: Path) -> None:
    """Charts can be drawn even of a run that lacks most rows."""
    assert all(file.stat().st_size > 10_000 for file in charts.draw(results, tmp_path))


def test_each_title_says_in_figures_what_is_shown() -> None:
    """A title without a number would say only what is measured."""
    titles = {name: figure.get_suptitle() for name, figure in drawn()}
    assert len(titles) == 7
    assert {name: title for name, title in titles.items() if not any(map(str.isdigit, title))} == {}
