"""Writes results as tables: for a terminal with rich, for the documents in Markdown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table as RichTable

from bars import Verdict, judge
from results import ONNXRUNTIME, OURS, Ceiling, Results

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
_STYLES = {"met, and the aim": "green", "met": "green", "missed": "red", "not measured": "dim"}


@dataclass(frozen=True, slots=True)
class Table:
    """Cells under headings; an empty row is a line between groups."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1
    """Number of columns, from the left, that hold words; the others hold numbers."""


def tables(results: Results, *, brief: bool) -> Iterator[Table]:
    """Yield all tables, the bars last; `brief` leaves out what matters only beside the run itself."""
    yield _engines(results, brief=brief)
    for what, verdicts in judge(results).items():
        yield bars_table(f"Bars of {what}", verdicts)


def _setting(results: Results) -> list[str]:
    """Lines for above the tables: the machine, and what was measured on it."""
    machine, sentences, settings = results.machine, results.sentences, results.settings
    packages = ("bothends", "onnxruntime", "bothends-native")
    versions = ", ".join(f"{name} {machine[name]}" for name in packages if name in machine)
    where = ("processor", "memory", "kernel")
    turns = max((ceiling.turns for ceiling in results.ceilings), default=0)
    return [
        f"{machine['date']}: {', '.join(machine[each] for each in where)}, {machine['cores']} cores; "
        f"Python {machine['python']}, {versions}.",
        f"{settings['sample']:,} of {sentences['count']:,} sentences from {sentences['source']}, "
        f"{sentences['mean_tokens']:.1f} tokens on average. The machine is shared, so engines took turns, {turns} "
        "each: a schedule is the median of its turns, and an engine's ceiling is the schedule with the most "
        "sentences/s. What is judged is judged on one thread and on all cores, by the worse. Tokenising has a row "
        "of its own.",
    ]


def show(results: Results, console: Console) -> None:
    """Show everything, for a person at a terminal."""
    for note in _setting(results):
        console.print(note, highlight=False)
    for table in tables(results, brief=False):
        console.print()
        console.print(in_rich(table))


def markdown(results: Results, *, charts: Sequence[tuple[str, str]]) -> str:
    """Return everything for a document; `charts` are a picture's address and what it shows."""
    parts = ["\n".join(_setting(results)), *(f"![{what}]({address})" for address, what in charts)]
    return "\n\n".join([*parts, *map(table_in_markdown, tables(results, brief=True))])


def table_in_markdown(table: Table) -> str:
    """Return a table under its title."""
    aligned = [":--" if at < table.words else "--:" for at in range(len(table.headings))]
    rows = [table.headings, aligned, *(cells for cells in table.rows if cells)]
    return "\n".join([f"### {table.title}", "", *(f"| {' | '.join(cells)} |" for cells in rows)])


def replace_between_markers(file: Path, text: str, *, markers: tuple[str, str] = (BEGIN, END)) -> None:
    """Put `text` between the markers of a document. Raises ClickException where it hasn't one of each, in order."""
    before, begin, rest = file.read_text(encoding="utf-8").partition(markers[0])
    _, end, after = rest.partition(markers[1])
    if not (begin and end):
        raise click.ClickException(f"{file.name} needs the lines {markers[0]} and {markers[1]}")
    file.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}", encoding="utf-8")


def in_rich(table: Table) -> RichTable:
    """Return a table as a terminal shows it."""
    drawn = RichTable(title=table.title, title_justify="left", title_style="bold", header_style="dim")
    for at, heading in enumerate(table.headings):
        drawn.add_column(heading, justify="left" if at < table.words else "right", no_wrap=True)
    for cells in table.rows:
        if cells:
            drawn.add_row(*cells, style=_style(cells))
        else:
            drawn.add_section()
    return drawn


def _style(cells: Sequence[str]) -> str | None:
    """Return a verdict's colour; our servers stand out."""
    return "bold" if any(cell.startswith(OURS) for cell in cells[:2]) else _STYLES.get(cells[-1].partition(" by ")[0])


def _engines(results: Results, *, brief: bool) -> Table:
    headings = ["engine", "schedule", "threads", "sentences/s", "× onnxruntime's best", "p50 ms", "CPU s per 1,000"]
    rows: list[Sequence[str]] = []
    for ceiling in results.ceilings:
        rows += [*_schedules(ceiling, results.ceiling(ONNXRUNTIME), brief=brief), _one_by_one(ceiling), []]
    if results.tokenise_cpu_s_per_1000 is not None:
        rows.append(["the tokenizer", "one by one", "1", "", "", "", f"{results.tokenise_cpu_s_per_1000:.3f}"])
    return Table("Engines and tokenizer by themselves", headings, rows, words=2)


def _schedules(ceiling: Ceiling, other: Ceiling | None, *, brief: bool) -> Iterator[Sequence[str]]:
    """Return a row for each schedule; with `brief`, for the best on each number of threads."""
    order = "sorted by length" if ceiling.engine == ONNXRUNTIME else "as they come"
    for schedule in ceiling.schedules:
        if brief and schedule is not ceiling.best_on(schedule.threads):
            continue
        best = other and other.best_on(schedule.threads)
        ratio = f"{schedule.sentences_per_s / best.sentences_per_s:.2f}" if best else "–"
        mark = " (its ceiling)" if schedule is ceiling.best else ""
        yield [
            ceiling.engine,
            f"batches of {schedule.batch}, {order}{mark}",
            str(schedule.threads),
            f"{schedule.sentences_per_s:,.0f}",
            ratio,
            "",
            f"{schedule.cpu_s_per_1000:.3f}",
        ]


def _one_by_one(ceiling: Ceiling) -> Sequence[str]:
    p50_ms, cpu_s = ceiling.one_by_one_p50_ms, ceiling.one_by_one_cpu_s_per_1000
    return [ceiling.engine, "one by one", "1", f"{1000 / p50_ms:,.0f}", "", f"{p50_ms:.3f}", f"{cpu_s:.3f}"]


def bars_table(title: str, verdicts: Sequence[Verdict]) -> Table:
    """Return bars, each with its verdict."""
    rows: list[Sequence[str]] = []
    for verdict in verdicts:
        bar, relation = verdict.bar, "≤" if verdict.bar.at_most else "≥"
        figure = "–" if verdict.figure is None else bar.show(verdict.figure)
        aim = "–" if bar.aim is None else bar.show(bar.aim)
        rows.append([bar.text, figure, f"{relation} {bar.show(bar.limit)}", aim, verdict.text])
    return Table(title, ["", "figure", "bar", "aim", "verdict"], rows)


def number(value: float | None, digits: int) -> str:
    """Return a figure with so many digits after the point, and a dash where it isn't known."""
    return "–" if value is None else f"{value:,.{digits}f}"
