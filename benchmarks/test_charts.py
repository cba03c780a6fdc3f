"""Results as charts: they can be drawn, and titles say in figures what they show."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib", reason="matplotlib is missing (pip install matplotlib)")

import charts
import encoder_charts
import quality_page
from comparison import chart as comparison_chart
from comparison.results import ComparisonResults
from results import Results

HERE = Path(__file__).parent


def drawn() -> Iterator[tuple[str, Any]]:
    """Every chart of the documents' figures, by its file's name."""
    yield from charts.figures(Results.open(HERE / "performance.json"))
    yield from comparison_chart.figures(ComparisonResults.open(HERE / "performance.json"))
    yield from encoder_charts.figures(json.loads((HERE / "encoder.json").read_text("utf-8")), quality_page.read())


def test_charts_are_drawn(results: Results, tmp_path: Path) -> None:
    """Charts can be drawn even of a run that lacks most rows."""
    assert all(file.stat().st_size > 10_000 for file in charts.draw(results, tmp_path))


def test_quality_is_drawn_on_test_sets_alone() -> None:
    """A dev split beside a test split would flatter whoever was chosen by it."""
    record = json.loads((HERE / "quality.json").read_text("utf-8"))
    names = {
        name for part in (record["measured"]["models"], record["published"]) for each in part for name in each["scores"]
    }
    assert names == set(record["pairs"])
    assert not any("dev" in name for name in names)


def test_the_page_of_quality_shows_what_the_json_holds() -> None:
    """A change is followed by `python benchmarks/quality.py --again`."""
    page = (HERE.parent / "docs" / "quality.md").read_text("utf-8")
    begin, end = quality_page.MARKERS
    assert page.partition(begin)[2].partition(end)[0].strip() == quality_page.markdown(quality_page.read())


def test_each_title_says_in_figures_what_is_shown() -> None:
    """A title without a number would say only what is measured."""
    titles = {name: figure.get_suptitle() for name, figure in drawn()}
    assert len(titles) == 3
    assert {name: title for name, title in titles.items() if not any(map(str.isdigit, title))} == {}
