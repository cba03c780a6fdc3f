"""The benchmark's own arithmetic and words. No load is run here."""

from dataclasses import replace
from pathlib import Path

import click
import pytest

import bars
import loads
import report
import sentences
from results import OURS, Ceiling, Memory, Results, Row, Schedule, Window, medians

MACHINE = dict.fromkeys(("processor", "cores", "memory", "kernel", "python"), "x")
VERSIONS = dict.fromkeys(("bothends", "onnxruntime", "grpcio", "tokenizers", "mosec"), "1")
SECONDS = {"seconds": 6.0, "warmup_s": 1.5, "rounds": 2}


def row(server: str, load: str, **figures: float) -> Row:
    plain = {"p50_ms": 1.0, "p99_ms": 2.0, "p999_ms": 3.0, "cpu_s_per_1000": 0.5, "rss_mb": 100.0, "load_cores": 0.05}
    zero = dict.fromkeys(("refused", "expired", "failed"), 0.0)
    return Row(server, load, **{"sentences_per_s": 1000.0} | plain | zero | figures)


@pytest.fixture
def results() -> Results:
    """Figures that meet every aim."""
    about = {"source": "somewhere", "count": 2000, "mean_tokens": 15.0}
    made = Results(MACHINE | VERSIONS | {"date": "2026-01-01"}, SECONDS, about)
    made.ceiling = Ceiling(3, [Schedule(4, 2, 6000, 0.30), Schedule(8, 2, 5000, 0.29)], 0.5, 0.6, 0.03)
    made.rows = [
        row(OURS, bars.UNARY_1, p50_ms=0.7),
        row(OURS, bars.UNARY_8, sentences_per_s=2600, p99_ms=5),
        row("mosec 4", bars.UNARY_8, sentences_per_s=2000, p99_ms=8),
        row("mosec 32", bars.UNARY_8, sentences_per_s=1000, p99_ms=1),
        row(OURS, bars.UNARY_32, sentences_per_s=2600, p99_ms=5, cpu_s_per_1000=0.39, efficiency=0.96),
        row("mosec 32", bars.UNARY_32, sentences_per_s=2000, p99_ms=8),
        row(OURS, bars.WIDE_4, sentences_per_s=4400, cpu_s_per_1000=0.32),
        row("mosec 1", bars.WIDE_4, sentences_per_s=4000),
        row(
            OURS, loads.OVERLOAD.name, goodput_per_s=2990.0, peak_per_s=3000.0, refused_p99_ms=1.0, offered_per_s=6000.0
        ),
    ]
    made.windows = [Window(1, 1000, 1.0, 1.0), Window(8, 2000, 0.5, 7.0)]
    made.memory = Memory([0, 50_000, 100_000, 1_000_000], [80.0, 90.0, 100.0, 100.5])
    return made


def test_every_python_carries_enough_sentences() -> None:
    """A fresh clone has no corpus; its sentences are prose, distinct, of 3 to 60 words."""
    found = list(sentences.from_documentation())
    assert len(set(found)) > 2000
    assert all(3 <= len(text.split()) <= 60 and text[-1] in ".!?" for text in found)


def test_a_file_of_sentences_is_read_with_and_without_sources(tmp_path: Path) -> None:
    file = tmp_path / "some.tsv"
    file.write_text("a source\tA man sings.\nA man sings.\n\nA woman plays.\n")
    assert sentences.load(file).texts == ["A man sings.", "A woman plays."]


def test_figures_that_reach_every_aim_are_said_to(results: Results) -> None:
    assert {verdict.word for verdict in bars.judge(results)} == {"met, and the aim"}


def test_an_empty_run_judges_nothing() -> None:
    """A figure that wasn't measured is no zero, which would meet half the bars."""
    assert {verdict.word for verdict in bars.judge(Results({}, {}, {}))} == {"not measured"}


@pytest.mark.parametrize("bar", bars.BARS, ids=lambda bar: bar.text)
def test_each_bar_is_missed_on_its_wrong_side(bar: bars.Bar) -> None:
    """The aim is beyond the limit; a step to the other side of the limit is a miss."""
    worse = bar.limit + (bar.limit - bar.aim)
    words = [bars.Verdict(bar, figure).word for figure in (worse, bar.limit, bar.aim)]
    assert words == ["missed", "met", "met, and the aim"]


def test_mosecs_best_is_the_one_with_the_most_sentences(results: Results) -> None:
    """And its p99 is that one's, not the least of any."""
    figures = {verdict.bar.text: verdict.figure for verdict in bars.judge(results)}
    assert figures[f"{bars.UNARY_8}: sentences/s over mosec's best"] == pytest.approx(1.3)
    assert figures[f"{bars.UNARY_8}: p99 over mosec's there"] == pytest.approx(5 / 8)


def test_the_ceiling_is_the_fastest_schedule(results: Results) -> None:
    """32 ms of CPU for 100 sentences over 30, not over the 29 of a slower schedule; microseconds for the difference."""
    figures = [verdict.figure for verdict in bars.judge(results)]
    assert figures[0] == pytest.approx(0.32 / 0.30)
    assert figures[1] == pytest.approx(90)


def test_memory_grows_from_a_tenth_of_the_way() -> None:
    assert Memory([0, 90, 110, 1000], [50.0, 90.0, 100.0, 104.0]).growth == pytest.approx(0.04)


def test_a_row_is_the_median_of_its_rounds() -> None:
    """Each figure by itself, of those that are known."""
    first = row(OURS, bars.UNARY_1, sentences_per_s=10)
    rounds = [first, replace(first, sentences_per_s=40, efficiency=0.5), replace(first, sentences_per_s=20)]
    (middle,) = medians([*rounds, row("other", bars.UNARY_1)])[:1]
    assert (middle.sentences_per_s, middle.efficiency) == (20, 0.5)


def test_results_come_back_from_their_json(results: Results, tmp_path: Path) -> None:
    results.save(tmp_path / "results.json")
    assert Results.open(tmp_path / "results.json") == results


def test_the_document_changes_between_its_markers_alone(results: Results, tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    text = report.markdown(results, charts=[("images/some.png", "something")])
    for _ in range(2):  # a second time changes nothing more
        report.replace_between_markers(file, text)
        written = file.read_text()
        assert written.startswith(f"before\n{report.BEGIN}\n")
        assert written.endswith(f"\n{report.END}\nafter\n")
        assert written.count("![something](images/some.png)") == 1
        assert "old" not in written


def test_a_document_without_markers_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(f"{report.END} {report.BEGIN}")
    with pytest.raises(click.ClickException, match="bench:begin"):
        report.replace_between_markers(file, "text")
    assert file.read_text() == f"{report.END} {report.BEGIN}"


def test_markdown_tables_have_as_many_cells_as_headings(results: Results) -> None:
    for table in report.tables(results, brief=True):
        assert {len(cells) for cells in table.rows if cells} == {len(table.headings)}


def test_charts_are_drawn(results: Results, tmp_path: Path) -> None:
    """Even of a run that lacks most rows."""
    charts = pytest.importorskip("charts", exc_type=ModuleNotFoundError)
    assert all(file.stat().st_size > 10_000 for file in charts.draw(results, tmp_path))
