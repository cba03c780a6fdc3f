"""Measures encoders of all kinds by the native engine, onnxruntime and PyTorch, on one core.

`make bench ARGS=--your-encoder` runs it; with --quick, it is tried out in about two minutes.
"""

from pathlib import Path

import click
from rich.console import Console

import report
from encoders import chart, page, record
from encoders.measure import measure
from encoders.results import EncoderResults
from encoders.shapes import INFERSENT, LASER, QUICK, shapes
from progress import Show
from style import mark

_ROOT = Path(__file__).parent.parent
RECORD = Path(__file__).with_name("your_encoder.json")
_RESULTS = Path(__file__).parent / "results" / "your_encoder.json"
_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="A few encoders, once: no figure means much.")
@click.option("--only", multiple=True, type=click.Choice(list(shapes())), metavar="NAME", help="These encoders alone.")
@click.option("--turns", default=5, show_default=True, type=click.IntRange(1), help="Of each engine.")
@click.option("--markdown", is_flag=True, help="Print what the document would say, in place of tables.")
@click.option("--json", type=click.Path(path_type=Path), help=f"Where to.  [default: {_RESULTS}]")
@click.option("--docs", is_flag=True, help=f"Write {RECORD.name}, docs/your-encoder.md, its picture and the record.")
@click.option("--from", "earlier", type=_file, help="Show an earlier run's JSON and measure nothing.")
def main(
    *,
    quick: bool,
    only: tuple[str, ...],
    turns: int,
    markdown: bool,
    json: Path | None,
    docs: bool,
    earlier: Path | None,
) -> None:
    """Measure encoders that people bring, by every engine that can compute them."""
    console = Console()
    if not console.is_terminal:
        console.width = 168
    if earlier:
        results = EncoderResults.open(earlier)
    else:
        names = only or (QUICK if quick else tuple(shapes()))
        with Show(console, total_s=len(names)) as show:
            results = measure(names, turns=1 if quick else turns, show=show)
    if markdown:
        click.echo(page.markdown(results))
    else:
        for table in page.tables(results):
            console.print(report.in_rich(table))
    console.print(page.sentence(results, (INFERSENT, LASER)), highlight=False)
    if docs:
        _write_docs(results)
    elif not earlier:
        results.save(json or _RESULTS)


def _write_docs(results: EncoderResults) -> None:
    """Write the record, and what the documents and the service say of what was measured."""
    results.save(RECORD)
    record.write(results)
    mark(chart.draw(results, _ROOT / "docs" / "images").name)
    report.replace_between_markers(_ROOT / "docs" / "your-encoder.md", page.markdown(results), markers=page.MARKERS)


if __name__ == "__main__":
    main()
