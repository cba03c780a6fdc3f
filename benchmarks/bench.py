"""Measures bothends beside its ceiling and its peers, and judges whether it is as fast as it must be.

`make bench` runs it; `make bench ARGS=--bars` compares transports and servers alone; with --quick, either is tried out
in about two minutes.
"""

import signal
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

import charts
import engines
import report
import speeds
from bars import judge
from comparison import bars as comparison_bars
from comparison import chart as comparison_chart
from comparison import report as comparison_report
from comparison import summary as comparison_summary
from comparison.results import ComparisonResults
from comparison.suite import FULL as COMPARISON_FULL
from comparison.suite import QUICK as COMPARISON_QUICK
from comparison.suite import ComparisonSuite
from progress import Show
from results import Results
from sentences import load
from style import mark
from suite import FULL, QUICK, Suite

_DOCS = Path(__file__).parent.parent / "docs"
_REPORT = Path(__file__).parent / "report.md"
_RESULTS = Path(__file__).parent / "results"
_PAGE_COLUMNS = 168
"""Width of tables where there is no terminal to ask: wider than a page, they would be cut."""

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--sentences", type=_file, help="Sentences, one a line or source<TAB>sentence; .xz is fine.")
@click.option("--seconds", type=float, help=f"Measured time of each row.  [default: {FULL.seconds:g}]")
@click.option("--rounds", type=click.IntRange(1), help=f"Times each row is measured.  [default: {FULL.rounds}]")
@click.option("--rss-sentences", type=int, help=f"Sentences in the memory run.  [default: {FULL.rss_sentences}]")
@click.option("--bars", is_flag=True, help="Transports and servers beside each other, and the bars on them, alone.")
@click.option("--quick", is_flag=True, help="Everything, but so short that no figure means much.")
@click.option("--json", type=click.Path(path_type=Path), help=f"Where to; charts go beside it.  [default: {_RESULTS}/]")
@click.option("--docs", is_flag=True, help="Write benchmarks/performance.json, its page, report.md and charts instead.")
@click.option("--from", "earlier", type=_file, help="Show an earlier run's JSON and measure nothing.")
@click.option("--strict", is_flag=True, help="Exit with 1 where a bar is missed.")
def main(*, bars: bool, json: Path | None, docs: bool, earlier: Path | None, strict: bool, **how: Any) -> None:
    """Measure bothends on each engine, the engines alone, mosec and a naive server here, and judge the figures."""
    console = Console()
    if not console.is_terminal:
        console.width = _PAGE_COLUMNS
    found = _transports(console, earlier, **how) if bars else _engines(console, earlier, **how)
    if docs:
        _write_docs(found)
    else:
        json = json or _RESULTS / ("comparison.json" if bars else "results.json")
        found.save(json)
        if isinstance(found, Results):
            charts.draw(found, json.parent)
    console.print(f"\nwritten: {_REPORT if docs else json}", highlight=False)
    judged = judge(found) if isinstance(found, Results) else comparison_bars.judge(found)
    if strict and any(verdict.word == "missed" for verdicts in judged.values() for verdict in verdicts):
        sys.exit(1)


def _engines(console: Console, earlier: Path | None, *, quick: bool, sentences: Path | None, **given: Any) -> Results:
    """Measure engines and the server around them, or open an earlier run; show it."""
    options = _options(QUICK if quick else FULL, given)
    planned_s = options.total_s(engines.built())
    results = (
        Results.open(earlier) if earlier else _measure(Suite, options, sentences, console=console, planned_s=planned_s)
    )
    report.show(results, console)
    return results


def _transports(
    console: Console, earlier: Path | None, *, quick: bool, sentences: Path | None, **given: Any
) -> ComparisonResults:
    """Measure the same of transports and servers beside each other."""
    del given["rss_sentences"]  # there is no long run
    options = _options(COMPARISON_QUICK if quick else COMPARISON_FULL, given)
    found = (
        ComparisonResults.open(earlier)
        if earlier
        else _measure(ComparisonSuite, options, sentences, console=console, planned_s=options.total_s())
    )
    comparison_report.show(found, console)
    return found


def _options(options: Any, given: dict[str, Any]) -> Any:
    return replace(options, **{name: value for name, value in given.items() if value is not None})


def _measure(suite: Any, options: Any, sentences: Path | None, *, console: Console, planned_s: float) -> Any:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that it stops its servers, as Ctrl-C does
    with tempfile.TemporaryDirectory() as folder, Show(console, total_s=planned_s) as show:
        return suite(options, load(sentences), folder=Path(folder), show=show).run()


def _write_docs(found: Results | ComparisonResults) -> None:
    """Write the report's part that was measured, and the page where it is that of the transports."""
    file, images = Path(__file__).with_name("performance.json"), _DOCS / "images"
    before = Results.open(file)
    if isinstance(found, ComparisonResults):
        replace(before, comparison=asdict(found)).save(file)
        speeds.write(before, found)
        mark(comparison_chart.draw(found, images).name)
        for markers, text in comparison_summary.parts(found).items():
            report.replace_between_markers(_DOCS / "performance.md", text, markers=markers)
        readme, line = _DOCS.parent / "README.md", comparison_summary.served(found)
        report.replace_between_markers(readme, line, markers=comparison_summary.SERVED)
        report.replace_between_markers(_REPORT, comparison_report.markdown(found), markers=comparison_report.MARKERS)
        return
    replace(found, comparison=before.comparison).save(file)
    speeds.write(found, ComparisonResults.open(file))
    drawn = charts.draw(found, images)
    mark(*(file.name for file in drawn))
    text = report.markdown(found, charts=[(f"../docs/images/{file.name}", what) for file, what in drawn.items()])
    report.replace_between_markers(_REPORT, text)


if __name__ == "__main__":
    main()
