"""The page docs/performance.md: its figures are those of record, and it stays short."""

from pathlib import Path

import pytest

from loads import PEAK, unary
from results import FLOAT32, INT8, ours
from sample_results import row

from . import report as comparison_report
from . import summary, wall_page
from .forms import BASE64, form_of
from .results import ComparisonResults

ROOT = Path(__file__).parents[2]
JSON = ROOT / "benchmarks" / "performance.json"


def found(*, peer: float) -> ComparisonResults:
    """Results of two loads, at which mosec has so many sentences a second and we have 2,000."""
    made = ComparisonResults({"date": "2026-01-01", "processor": "x", "cores": "2"}, {"rounds": 2, "seconds": 3.0},
                        {"short": {"mean_tokens": 14.2}}, ["native"])  # fmt: skip
    for load in (unary(1).name, PEAK.name):
        made.rows += [row(ours(engine, "native"), load, sentences_per_s=2000) for engine in (FLOAT32, INT8)]
        made.rows.append(row("mosec 8", load, sentences_per_s=peer))
        made.rows.append(row(form_of(ours(FLOAT32, "native"), BASE64), load, sentences_per_s=900))
    return made


def test_the_documents_show_what_the_json_holds() -> None:
    """A change is followed by `python benchmarks/bench.py --bars --docs --from benchmarks/performance.json`."""
    record = ComparisonResults.open(JSON)
    for file, text, (begin, end) in (
        *((ROOT / "docs" / "performance.md", text, markers) for markers, text in summary.parts(record).items()),
        (ROOT / "README.md", summary.served(record), summary.SERVED),
        (ROOT / "docs" / "scaling.md", wall_page.markdown(record), wall_page.MARKERS),
        (ROOT / "benchmarks" / "report.md", comparison_report.markdown(record), comparison_report.MARKERS),
    ):
        shown = file.read_text("utf-8").partition(begin)[2].partition(end)[0]
        assert shown.strip() == text.strip()


def test_what_callers_get_stands_above_what_was_missed() -> None:
    """A page that opens with what it can't do is read by nobody who looks for what it can."""
    opening, *_ = summary.parts(found(peer=1600)).values()
    assert "missed" not in opening.lower()
    page = (ROOT / "docs" / "performance.md").read_text("utf-8")
    assert page.index(" sentences a second in float32") < page.index("| sentences/s |") < page.index("Missed are")


def test_both_protocols_are_named_where_both_were_measured() -> None:
    """The README's line, and the page's first sentence."""
    made, load = found(peer=1000), unary(8).name
    made.rows += [row(ours(engine, "native"), load, sentences_per_s=2000) for engine in (FLOAT32, INT8)]
    made.rows += [row(form_of(ours(FLOAT32, "native"), BASE64), load, sentences_per_s=900)]
    made.rows += [row("mosec 4", load, sentences_per_s=700)]
    assert (
        "2,000 a second over gRPC and 900 over HTTP; mosec, another model server, at its best settings 700."
        in summary.served(made)
    )
    opening = summary.markdown(made).partition("\n")[0]
    assert opening.startswith(
        "A server on 2 cores answers 8 callers of one sentence at a time: over gRPC 2,000 sentences"
    )
    assert opening.endswith("; over HTTP 900 sentences a second in float32 (p99 2.0 ms).")


def test_the_page_is_short() -> None:
    """All but its table and its list of missed bars is read in two minutes."""
    lines = (ROOT / "docs" / "performance.md").read_text("utf-8").splitlines()
    assert sum(len(line.split()) for line in lines if not line.startswith(("|", "- "))) < 400


def test_a_missed_bar_is_named_with_its_figure() -> None:
    text = "\n".join(summary.parts(found(peer=1600)).values())
    assert "- sentences/s over mosec's best: 1 sentence × 1 (1.25 ×, bar ≥ 1.80 ×)" in text
    assert "| 1 sentence × 1 | 2,000 | 2,000 | 900 | – | 1,600 (mosec 8) | 1.25 × | 2.0 | 2.0 |" in text


@pytest.mark.parametrize(("peer", "said"), [(1000, "2.0 to 2.0 times the sentences of mosec, in float32")])
def test_the_chart_says_what_it_shows(peer: float, said: str) -> None:
    assert summary.headline(found(peer=peer)) == said
    assert f"![{said}](images/{summary.CHART})" in summary.markdown(found(peer=peer))


def test_a_run_without_mosec_says_nothing_of_it() -> None:
    made = found(peer=1000)
    made.rows = [each for each in made.rows if not each.server.startswith("mosec")]
    assert summary.headline(made) == "Sentences a second by load"


def test_the_chart_is_drawn(tmp_path: Path) -> None:
    chart = pytest.importorskip("comparison.chart", exc_type=ModuleNotFoundError)
    assert chart.draw(found(peer=1000), tmp_path).stat().st_size > 10_000
