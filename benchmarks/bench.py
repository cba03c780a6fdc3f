"""Measures engines by themselves and servers beside each other, and judges whether bothends is as fast as it must be.

`make bench` runs it; `make bench ARGS=--bars` compares the servers alone; with --quick, either is tried out in about
two minutes. `make bench ARGS="--your-encoder …"` measures encoders of other kinds by engines: your_encoder.py, whose
options follow.
"""

import signal
import sys
import tempfile
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

import charts
import report
import speeds
from bars import judge
from comparison import bars as comparison_bars
from comparison import chart as comparison_chart
from comparison import report as comparison_report
from comparison import summary as comparison_summary
from comparison import wall_page
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
@click.option("--seconds", type=float, help=f"Measured time of a server's row.  [default: {COMPARISON_FULL.seconds:g}]")
@click.option("--rounds", type=click.IntRange(1), help=f"Times each is measured.  [default: {FULL.rounds}]")
@click.option("--bars", is_flag=True, help="Servers beside each other, and the bars on them, alone.")
@click.option("--quick", is_flag=True, help="Everything, but so short that no figure means much.")
@click.option("--json", type=click.Path(path_type=Path), help=f"Where to; charts go beside it.  [default: {_RESULTS}/]")
@click.option("--docs", is_flag=True, help="Write benchmarks/performance.json, its page, report.md and charts instead.")
@click.option("--from", "earlier", type=_file, help="Show an earlier run's JSON and measure nothing.")
@click.option("--strict", is_flag=True, help="Exit with 1 where a bar is missed.")
def main(*, bars: bool, json: Path | None, docs: bool, earlier: Path | None, strict: bool, **how: Any) -> None:
    """Measure engines alone, and bothends beside mosec here, and judge the figures."""
    console = Console()
    if not console.is_terminal:
        console.width = _PAGE_COLUMNS
    engines = None if bars else _engines(console, earlier, **how)
    servers = _servers(console, earlier, **how)
    if docs:
        _write_docs(engines, servers)
    else:
        json = json or _RESULTS / ("comparison.json" if bars else "results.json")
        _keep(engines, servers, json)
    console.print(f"\nwritten: {_REPORT if docs else json}", highlight=False)
    judged = comparison_bars.judge(servers) | (judge(engines) if engines else {})
    if strict and any(verdict.word == "missed" for verdicts in judged.values() for verdict in verdicts):
        sys.exit(1)


def _engines(console: Console, earlier: Path | None, *, quick: bool, sentences: Path | None, **given: Any) -> Results:
    """Measure engines by themselves, or open an earlier run; show it."""
    options = _options(QUICK if quick else FULL, given)
    results = Results.open(earlier) if earlier else _measure(Suite, options, sentences, console)
    report.show(results, console)
    return results


def _servers(
    console: Console, earlier: Path | None, *, quick: bool, sentences: Path | None, **given: Any
) -> ComparisonResults:
    """Measure servers beside each other, or open an earlier run; show it."""
    options = _options(COMPARISON_QUICK if quick else COMPARISON_FULL, given)
    found = ComparisonResults.open(earlier) if earlier else _measure(ComparisonSuite, options, sentences, console)
    comparison_report.show(found, console)
    return found


def _options(options: Any, given: dict[str, Any]) -> Any:
    """Return the options with those of them that were given."""
    own = {each.name for each in fields(options)}
    return replace(options, **{name: value for name, value in given.items() if name in own and value is not None})


def _measure(suite: Any, options: Any, sentences: Path | None, console: Console) -> Any:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that it stops its servers, as Ctrl-C does
    with tempfile.TemporaryDirectory() as folder, Show(console, total_s=options.total_s()) as show:
        return suite(options, load(sentences), folder=Path(folder), show=show).run()


def _keep(engines: Results | None, servers: ComparisonResults, file: Path) -> None:
    """Write what was measured as JSON, with a chart of the engines beside it."""
    if engines is None:
        servers.save(file)
    else:
        replace(engines, comparison=asdict(servers)).save(file)
        charts.draw(engines, file.parent)


def _write_docs(engines: Results | None, servers: ComparisonResults) -> None:
    """Write the record, and what the documents say and show of what was measured."""
    file, images = Path(__file__).with_name("performance.json"), _DOCS / "images"
    record = replace(engines or Results.open(file), comparison=asdict(servers))
    record.save(file)
    speeds.write(record, servers)
    mark(comparison_chart.draw(servers, images).name)
    for markers, text in comparison_summary.parts(servers).items():
        report.replace_between_markers(_DOCS / "performance.md", text, markers=markers)
    report.replace_between_markers(_DOCS / "scaling.md", wall_page.markdown(servers), markers=wall_page.MARKERS)
    readme, line = _DOCS.parent / "README.md", comparison_summary.served(servers)
    report.replace_between_markers(readme, line, markers=comparison_summary.SERVED)
    report.replace_between_markers(_REPORT, comparison_report.markdown(servers), markers=comparison_report.MARKERS)
    if engines:
        drawn = charts.draw(engines, images)
        mark(*(picture.name for picture in drawn))
        shown = [(f"../docs/images/{picture.name}", what) for picture, what in drawn.items()]
        report.replace_between_markers(_REPORT, report.markdown(engines, charts=shown))


if __name__ == "__main__":
    if "--your-encoder" in sys.argv:
        sys.argv.remove("--your-encoder")
        from your_encoder import main  # it loads PyTorch
    main()
