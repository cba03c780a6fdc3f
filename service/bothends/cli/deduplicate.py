"""`bothends deduplicate`: finds the rows of a file that repeat what an earlier row has said."""

import json
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ..search import Duplicates, near_duplicates
from .grouped import GroupedCommand, option
from .indexed import Indexed, index_options, opened, shortened

_INDENT = 8


@click.command(cls=GroupedCommand, short_help="Find the rows of a file that repeat an earlier one.")
@click.argument("file", type=click.Path(path_type=Path))
@option("Duplicates", "--threshold", default=0.8, show_default=True, type=click.FloatRange(0, 1, min_open=True),
        metavar="COSINE", help="Similarity from which a row repeats another.")  # fmt: skip
@option("Duplicates", "--unique", is_flag=True, help="Print the sentences that repeat none, instead of the groups.")
@option("Duplicates", "--json", "as_json", is_flag=True, help="Print one JSON object for each group or sentence.")
@index_options
@click.pass_context
def deduplicate(ctx: click.Context, /, file: Path, threshold: float, unique: bool, as_json: bool, **flags: Any) -> None:
    """Find the rows of FILE that say again what an earlier row has said, and print them in groups.

    \b
      bothends deduplicate notes.txt
      bothends deduplicate notes.txt --unique > unique.txt
      bothends deduplicate reviews.csv --threshold 0.9 --json > groups.jsonl

    A row repeats the most similar earlier row that repeats none, if their cosine reaches the threshold. Look at groups
    of your own text before you trust a threshold: the packaged model hardly sees a "not" or another number.

    Every row is compared with every row that stays: 100,000 take about 40 s of a core, ten times as many a hundred
    times as long. Memory doesn't grow so: vectors stay on disk.
    """  # noqa: D301  click takes a backspace for a paragraph that is left as it is
    with opened(ctx, file, keep=(), **flags) as index:
        found = _duplicates(index.vectors, threshold)
        if unique:
            _print_unique(index, found, as_json=as_json)
        else:
            _print_groups(index, found, as_json=as_json)
        gone = len(index.vectors) - len(found.unique)
        click.echo(
            f"{index.embedded:,} sentences: {index.embedded - gone:,} stay, {gone:,} repeat one of them", err=True
        )


def _duplicates(vectors: NDArray[np.float32], threshold: float) -> Duplicates:
    """Compare the rows, with a progress bar for a person."""
    if not sys.stderr.isatty():
        return near_duplicates(vectors, threshold=threshold)
    with click.progressbar(length=len(vectors) ** 2, label="comparing", file=sys.stderr) as shown:
        done = 0

        def advance(rows: int) -> None:
            nonlocal done
            shown.update((done + rows) ** 2 - done**2)  # the more stand before a row, the longer it takes
            done += rows

        return near_duplicates(vectors, threshold=threshold, advance=advance)


def _print_unique(index: Indexed, found: Duplicates, *, as_json: bool) -> None:
    for number, (row, leader) in enumerate(zip(index.file.rows(), found.leaders.tolist(), strict=True)):
        if leader == number and row.problem is None:
            click.echo(json.dumps({"row": number, "text": row.text}, ensure_ascii=False) if as_json else row.text)


def _print_groups(index: Indexed, found: Duplicates, *, as_json: bool) -> None:
    groups = found.groups()
    picked = index.file.pick({number for leader, rows in groups for number in (leader, *rows.tolist())})
    for leader, rows in groups:
        repeats = [(number, float(found.scores[number]), picked[number].text) for number in rows.tolist()]
        if as_json:
            again = [{"row": number, "score": score, "text": text} for number, score, text in repeats]
            group = {"row": leader, "text": picked[leader].text, "repeats": again}
            click.echo(json.dumps(group, ensure_ascii=False))
            continue
        name = index.name(leader)
        click.echo(f"{name}: {shortened(picked[leader].text, indent=len(name) + 2)}")
        for number, score, text in repeats:
            name = index.name(number)
            click.echo(f"  {score:.2f}  {name}: {shortened(text, indent=_INDENT + len(name) + 2)}")
        click.echo()
