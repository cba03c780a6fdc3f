"""Measures bothends beside its ceiling and its peers, and judges whether it is as fast as it must be.

`make bench` runs it; `make bench ARGS=--quick` tries it out in about two minutes.
"""

import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

import charts
import engines
import report
from bars import judge
from progress import Show
from results import Results
from sentences import load
from suite import FULL, QUICK, Suite

_DOCS = Path(__file__).parent.parent / "docs"
_JSON = Path(__file__).parent / "results" / "results.json"
_PAGE_COLUMNS = 168
"""Width of tables where there is no terminal to ask: wider than a page, they would be cut."""

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--sentences", type=_file, help="Sentences, one a line or source<TAB>sentence; .xz is fine.")
@click.option("--seconds", type=float, help=f"Measured time of each row.  [default: {FULL.seconds:g}]")
@click.option("--rounds", type=click.IntRange(1), help=f"Times each row is measured.  [default: {FULL.rounds}]")
@click.option("--rss-sentences", type=int, help=f"Sentences in the memory run.  [default: {FULL.rss_sentences}]")
@click.option("--quick", is_flag=True, help="Everything, but so short that no figure means much.")
@click.option("--json", type=click.Path(path_type=Path), default=_JSON, help="Where to; charts go beside it.")
@click.option("--docs", is_flag=True, help="Write docs/performance.json, its page and its charts instead.")
@click.option("--from", "earlier", type=_file, help="Show an earlier run's JSON and measure nothing.")
@click.option("--strict", is_flag=True, help="Exit with 1 where a bar is missed.")
def main(*, json: Path, docs: bool, earlier: Path | None, strict: bool, **how: Any) -> None:
    """Measure bothends on each engine, the engines alone, mosec and a naive server here, and judge the figures."""
    console = Console()
    if not console.is_terminal:
        console.width = _PAGE_COLUMNS
    results = Results.open(earlier) if earlier else _measure(console, **how)
    report.show(results, console)
    if docs:
        _write_docs(results)
    else:
        results.save(json)
        charts.draw(results, json.parent)
    console.print(f"\nwritten: {_DOCS / 'performance.md' if docs else json}, and charts", highlight=False)
    if strict and any(verdict.word == "missed" for verdicts in judge(results).values() for verdict in verdicts):
        sys.exit(1)


def _measure(console: Console, *, sentences: Path | None, quick: bool, **given: float | None) -> Results:
    options = replace(QUICK if quick else FULL, **{name: value for name, value in given.items() if value is not None})
    planned_s = options.total_s(engines.built())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that it stops its servers, as Ctrl-C does
    with tempfile.TemporaryDirectory() as folder, Show(console, total_s=planned_s) as show:
        return Suite(options, load(sentences), folder=Path(folder), show=show).run()


def _write_docs(results: Results) -> None:
    results.save(_DOCS / "performance.json")
    drawn = charts.draw(results, _DOCS / "images")
    text = report.markdown(results, charts=[(f"images/{file.name}", what) for file, what in drawn.items()])
    report.replace_between_markers(_DOCS / "performance.md", text)


if __name__ == "__main__":
    main()
