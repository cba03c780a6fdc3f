"""Writes the comparison's results as tables: for a terminal, and for the document in Markdown."""

import statistics
from collections.abc import Iterator, Sequence

from rich.console import Console

from loads import DEADLINE_MS
from report import Table, bars_table, in_rich, number, table_in_markdown
from results import FLOAT32, INT8, OURS, Row

from .bars import judge
from .forms import FORMS, SHARE, SINGLE, form_of
from .loads import CELLS, FED, LONG_LISTS, MAX_LOAD_CORES, SHORT
from .results import ComparisonResults, Storm, best, named

MARKERS = ("<!-- comparison:begin -->", "<!-- comparison:end -->")
_CODES = {"0": "OK", "1": "CANCELLED", "4": "DEADLINE_EXCEEDED", "8": "RESOURCE_EXHAUSTED", "14": "UNAVAILABLE"}


def show(found: ComparisonResults, console: Console) -> None:
    """Show everything, for a person at a terminal."""
    for note in _notes(found):
        console.print(note, highlight=False)
    for table in tables(found, brief=False):
        console.print()
        console.print(in_rich(table))


def markdown(found: ComparisonResults) -> str:
    """Return everything for a document."""
    return "\n\n".join(["\n".join(_notes(found)), *map(table_in_markdown, tables(found, brief=True))])


def tables(found: ComparisonResults, *, brief: bool) -> Iterator[Table]:
    """Yield all tables, the bars first; `brief` leaves out all of mosec's settings but the best."""
    yield _forms(found)
    for what, verdicts in judge(found).items():
        yield bars_table(f"Bars of {what}", verdicts)
    short, longer = f"sentences of {SHORT.start} to {SHORT.stop - 1} tokens", "longer sentences"
    yield _closed(f"Closed loop, {short}", found.rows, brief=brief)
    yield _closed(f"Closed loop, {longer}", found.longer, brief=brief)
    yield _storms(found)
    yield _refusals(found)
    yield _neighbours(found)
    yield _empty(found)
    yield _alone(found)
    yield _held(found)
    yield _memory(found)


def _notes(found: ComparisonResults) -> list[str]:
    """Lines for above the tables: the machine, what was measured on it, and what wasn't."""
    machine, settings = found.machine, found.settings
    where = ", ".join(machine[each] for each in ("processor", "memory", "kernel"))
    packages = ("bothends", "onnxruntime", "bothends-native", "grpcio", "mosec")
    versions = ", ".join(f"{name} {machine[name]}" for name in packages if name in machine)
    counted = ", ".join(
        f"{about['count']:,} of {about['mean_tokens']:.1f} tokens on average" for about in found.sentences.values()
    )
    others = [row.other_cores for row in (*found.rows, *found.longer) if row.other_cores is not None]
    busy = "not known"
    if others:
        busy = f"{statistics.median(others):.2f} in the middle row, {max(others):.2f} in the worst"
    most = max(found.rows, key=lambda row: row.load_cores, default=None)
    generator = (
        f" The load generator took {most.load_cores:.2f} of a core at most ({most.server}, {most.load})."
        if most
        else ""
    )
    return [
        f"{machine['date']}: {where}, {machine['cores']} cores; Python {machine['python']}, {versions}.",
        f"Sentences from {found.sentences['short']['source']}: {counted}. A row is {settings['seconds']:g} s after "
        f"{settings['warmup_s']:g} s of warm-up, over loopback, the load generator on the same cores; the median of "
        f"{settings['rounds']} rounds, in which all servers take turns at each load. mosec is judged at the "
        f"setting that does best at that load. Cores that other work took: {busy}.{generator}",
        f"Storms offer what the generator can with {MAX_LOAD_CORES:g} of a core, where that is less than they are "
        "called; refusals are told when to come again where they are RESOURCE_EXHAUSTED with RetryInfo.",
        *found.skipped,
    ]


def _forms(found: ComparisonResults) -> Table:
    """Return what callers of one sentence get, whatever they ask for, by how many of them there are."""
    headings = ["what callers do", *(f"{load.concurrency}" for load in SINGLE)]
    lines: list[Sequence[str]] = []
    for engine in (FLOAT32, INT8):
        for form in (None, *FORMS, SHARE):
            name = "gRPC, plain" if form is None else form.name if form.is_http else f"gRPC, {form.name}"
            rows = [named(found.rows, form_of(found.judged(engine), form), load.name) for load in SINGLE]
            if any(rows):
                lines.append([f"{name}: {engine}", *(number(row.sentences_per_s if row else None, 0) for row in rows)])
        lines.append([])
    tops = [best(found.rows, load.name) for load in SINGLE]
    rates = [number(top.sentences_per_s if top else None, 0) for top in tops]
    lines.append(["mosec over HTTP at its best settings", *rates])
    return Table("Sentences a second by what callers do, one sentence a request, by number of callers", headings, lines)


def _closed(title: str, rows: Sequence[Row], *, brief: bool) -> Table:
    headings = ["load", "server", "sentences/s", "p50 ms", "p99 ms", "server CPU µs a sentence", "server's cores",
                "RSS MB", "load's cores"]  # fmt: skip
    lines: list[Sequence[str]] = []
    for load in dict.fromkeys((*CELLS, LONG_LISTS, *FED)):
        here = [row for row in rows if row.load == load.name]
        top = best(here, load.name)
        for row in here:
            if brief and not (row.server.startswith(OURS) or row is top):
                continue
            cpu_us = 1000 * (row.cpu_s_per_1000 or 0)
            latencies = [number(value, 2) for value in (row.p50_ms, row.p99_ms)]
            cores = [f"{cpu_us * row.sentences_per_s / 1e6:.2f}", f"{row.rss_mb:.0f}", f"{row.load_cores:.2f}"]
            lines.append([row.load, row.server, number(row.sentences_per_s, 0), *latencies, f"{cpu_us:.0f}", *cores])
        lines.append([])
    return Table(title, headings, lines, words=2)


def _storms(found: ComparisonResults) -> Table:
    headings = ["load", "server", "peak/s", "offered/s", "in time/s", "of the peak", "of the CPU left", "p99 ms",
                "load's cores"]  # fmt: skip
    lines = []
    for storm in found.storms:
        rates = [number(rate, 0) for rate in (storm.peak_per_s, storm.offered_per_s, storm.goodput_per_s)]
        shares = [f"{storm.of_peak:.2f}", f"{storm.of_peak_by_cpu:.2f}"]
        lines.append([storm.load, storm.server, *rates, *shares, number(storm.p99_ms, 1), f"{storm.load_cores:.2f}"])
    return Table(f"Open loop: Poisson arrivals, deadline {DEADLINE_MS} ms", headings, lines, words=2)


def _refusals(found: ComparisonResults) -> Table:
    headings = ["load", "server", "statuses", "told when", "p99 of refusals ms", "s until it is itself again"]
    lines = []
    for storm in found.storms:
        told = "–" if storm.told_when is None else f"{storm.told_when:.1%}"
        latency = number(storm.refused_p99_ms, 1)
        lines.append([storm.load, storm.server, _codes(storm), told, latency, f"{storm.recovery_s:.2f}"])
    return Table("Open loop: what became of the calls", headings, lines, words=3)


def _codes(storm: Storm) -> str:
    """Return the statuses of a storm's calls, each with its share, the most first."""
    total = sum(storm.statuses.values())
    statuses = sorted(storm.statuses.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{_CODES.get(code, code)} {count / total:.1%}" for code, count in statuses)


def _neighbours(found: ComparisonResults) -> Table:
    headings = ["load", "server", "p99 alone ms", "p99 beside it ms", "answered"]
    lines = [
        [row.load, row.server, number(row.alone_p99_ms, 2), number(row.p99_ms, 2), f"{row.answered:.1%}"]
        for row in found.neighbours
    ]
    return Table("Callers beside each other", headings, lines, words=2)


def _empty(found: ComparisonResults) -> Table:
    headings = ["load", "server", "calls/s", "server CPU µs a call"]
    lines = [[row.load, row.server, number(row.calls_per_s, 0), number(row.cpu_us, 1)] for row in found.empty]
    return Table("Calls without a sentence", headings, lines, words=2)


def _alone(found: ComparisonResults) -> Table:
    headings = ["engine", "schedule", "sentences/s", "CPU µs a sentence"]
    lines = [[each.server, each.load, number(each.sentences_per_s, 0), number(1000 * each.cpu_s_per_1000, 1)]
             for each in found.alone]  # fmt: skip
    return Table("An engine by itself, with no server around it", headings, lines, words=2)


def _held(found: ComparisonResults) -> Table:
    headings = ["load", "server", "sentences/s", "longest", "by processor", "transport's", "waited", "Python's"]
    lines = []
    for each in found.held:
        times = (each.longest_us, each.longest_cpu_us, each.sum_us, each.waited_us, each.gil_us)
        lines.append([each.load, each.server, number(each.sentences_per_s, 0), *(number(time, 2) for time in times)])
    title = (
        "Locks, µs a sentence: the longest-held mutex, by the clock and by processor time; all of the transport's, and "
        "the wait for them; Python's own lock"
    )
    return Table(title, headings, lines, words=2)


def _memory(found: ComparisonResults) -> Table:
    lines = [[each.load, each.server, number(each.rss_mb, 1)] for each in found.memory]
    return Table("Memory by shards", ["when", "server", "RSS MB"], lines, words=2)
