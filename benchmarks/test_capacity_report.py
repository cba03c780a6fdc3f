"""The capacity model's page."""

import json
from pathlib import Path

import pytest

from capacity_model import Assumptions
from results import Results

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_says_what_its_figures_say(tmp_path: Path) -> None:
    """Figures and page agree; if not, write the page anew: `python benchmarks/capacity.py --from docs/scaling.json
    --docs`.
    """
    report = pytest.importorskip("capacity_report", exc_type=ModuleNotFoundError)
    record = Results.open(DOCS / "performance.json")
    found = json.loads((DOCS / "scaling.json").read_text(encoding="utf-8"))
    page = (DOCS / "scaling.md").read_text(encoding="utf-8")
    assert report.markdown(found, record, Assumptions()) in page
    assert all(file.stat().st_size > 10_000 for file in report.scaling_charts.draw(found, tmp_path))
