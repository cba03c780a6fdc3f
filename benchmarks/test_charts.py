"""Results as charts."""

from pathlib import Path

import pytest

from results import Results


def test_charts_are_drawn(results: Results, tmp_path: Path) -> None:
    """Charts can be drawn even of a run that lacks most rows."""
    charts = pytest.importorskip("charts", exc_type=ModuleNotFoundError)
    assert all(file.stat().st_size > 10_000 for file in charts.draw(results, tmp_path))
