"""The comparison's results in short, for docs/performance.md: bars that are missed, a chart, a table. Measures
nothing.
"""

from collections.abc import Iterator

from report import number
from results import FLOAT32, INT8, Row

from .bars import judge
from .forms import BASE64, SINGLE, Form, form_of
from .loads import CELLS
from .results import ComparisonResults, best, named

MARKERS = ("<!-- summary:begin -->", "<!-- summary:end -->")
SERVED = ("<!-- served:begin -->", "<!-- served:end -->")
"""Markers of the README's line."""
_BARS = ("<!-- bars:begin -->", "<!-- bars:end -->")
CHART = "servers.png"
_CALLERS = SINGLE[1]
"""Load of which the page's first sentence tells."""


def parts(found: ComparisonResults) -> dict[tuple[str, str], str]:
    """Return the page's parts that a run changes, by their markers: what callers get, and below it the bars."""
    return {MARKERS: markdown(found), _BARS: _bars(found)}


def markdown(found: ComparisonResults) -> str:
    """Return what callers get, beside mosec."""
    return "\n\n".join([
        _opening(found),
        f"![{headline(found)}](images/{CHART})",
        "\n".join(_table(found)),
        "`1 sentence × 128`: 128 calls at a time, each of one sentence. "
        f"{found.machine['date']}, {found.machine['processor']}, {found.machine['cores']} cores, which the load "
        f"generator shares; rounds: {found.settings['rounds']} of {found.settings['seconds']:g} s a row; sentences of "
        f"{found.sentences['short']['mean_tokens']:.0f} tokens on average.",
    ])  # fmt: skip


def served(found: ComparisonResults) -> str:
    """Return the README's line: what a server answers, over each protocol, beside mosec."""
    rows = [
        f"{row.sentences_per_s:,.0f}{each} over {protocol}"
        for protocol, each, form in (("gRPC", " a second", None), ("HTTP", "", BASE64))
        if (row := named(found.rows, form_of(found.judged(FLOAT32), form), _CALLERS.name)) is not None
    ]
    peer = best(found.rows, _CALLERS.name)
    beside = "" if peer is None else f"; mosec, another model server, at its best settings {peer.sentences_per_s:,.0f}"
    return (
        f"- **Fast as a server.** With {_CALLERS.concurrency} callers, each sending one sentence at a time, "
        f"a server on {found.machine['cores']} cores answers {' and '.join(rows)}{beside}. "
        "[By load](docs/performance.md)."
    )


def _opening(found: ComparisonResults) -> str:
    """Say what callers of single sentences get, in figures, over each protocol."""
    said = [
        f"over {protocol} {' or '.join(rates)}"
        for protocol, form in (("gRPC", None), ("HTTP", BASE64))
        if (rates := [rate for engine in (FLOAT32, INT8) if (rate := _rate(found, engine, form))])
    ]
    if not said:
        return "What a server answers, beside mosec."
    callers = (
        f"A server on {found.machine['cores']} cores answers {_CALLERS.concurrency} callers of one sentence at a time"
    )
    return f"{callers}: {'; '.join(said)}."


def _rate(found: ComparisonResults, engine: str, form: Form | None) -> str:
    row = named(found.rows, form_of(found.judged(engine), form), _CALLERS.name)
    if row is None:
        return ""
    precision = engine.removeprefix("native ")
    return f"{row.sentences_per_s:,.0f} sentences a second in {precision} (p99 {row.p99_ms or 0:.1f} ms)"


def headline(found: ComparisonResults) -> str:
    """Say in figures what the chart shows."""
    ratios = [ratio for load in CELLS if (ratio := over_mosec(found, FLOAT32, load.name)) is not None]
    if not ratios:
        return "Sentences a second by load"
    return f"{min(ratios):.1f} to {max(ratios):.1f} times the sentences of mosec, in float32"


def over_mosec(found: ComparisonResults, engine: str, load: str) -> float | None:
    """Return the ratio of our sentences a second to mosec's."""
    mine, theirs = named(found.rows, found.judged(engine), load), best(found.rows, load)
    return mine.sentences_per_s / theirs.sentences_per_s if mine and theirs else None


def _bars(found: ComparisonResults) -> str:
    """Count the bars, and name those that are missed, by what is judged."""
    measured = [verdict for verdicts in judge(found).values() for verdict in verdicts if verdict.figure is not None]
    missed: dict[str, list[str]] = {}
    for verdict in measured:
        if verdict.word == "missed":
            where, _, what = verdict.bar.text.rpartition(": ")
            relation = "≤" if verdict.bar.at_most else "≥"
            figures = f"{verdict.bar.show(verdict.figure or 0)}, bar {relation} {verdict.bar.show(verdict.bar.limit)}"
            missed.setdefault(what, []).append(f"{where} ({figures})")
    count = sum(map(len, missed.values()))
    met = (
        "Of the bars that were set beforehand, beside mosec with the same model and beyond its own peak, "
        f"bothends meets {len(measured) - count} of {len(measured)}."
    )
    lines = [f"- {what}: {'; '.join(where)}" for what, where in missed.items()]
    return "\n".join([met, *(["Missed are:", "", *lines] if lines else [])])


def _table(found: ComparisonResults) -> Iterator[str]:
    """Yield lines: sentences a second, and p99, of ours and of mosec at each load; HTTP's in base64."""
    yield (
        "| sentences/s | gRPC, float32 | gRPC, int8 | HTTP, float32 | HTTP, int8 | mosec | gRPC, float32 over it "
        "| p99 ms, gRPC, float32 | p99 ms, mosec |"
    )
    yield f"| :-- | {'--: | ' * 4}:-- | --: | --: | --: |"
    for load in CELLS:
        mine, small = (named(found.rows, found.judged(engine), load.name) for engine in (FLOAT32, INT8))
        http = [named(found.rows, form_of(found.judged(engine), BASE64), load.name) for engine in (FLOAT32, INT8)]
        theirs = best(found.rows, load.name)
        ratio = over_mosec(found, FLOAT32, load.name)
        cells = [
            load.name,
            number(mine.sentences_per_s if mine else None, 0),
            number(small.sentences_per_s if small else None, 0),
            *(number(row.sentences_per_s if row else None, 0) for row in http),
            "–" if theirs is None else f"{theirs.sentences_per_s:,.0f} ({theirs.server})",
            "–" if ratio is None else f"{ratio:.2f} ×",
            *(number(row.p99_ms if row else None, 1) for row in (mine, theirs)),
        ]
        yield f"| {' | '.join(cells)} |"


def rows_by_load(found: ComparisonResults) -> dict[str, list[tuple[str, Row]]]:
    """Return what the chart shows of each load: our servers and mosec at its best, by name."""
    kinds = {
        f"bothends, {precision}, {protocol}": (engine, form)
        for precision, engine in (("int8", INT8), ("float32", FLOAT32))
        for protocol, form in (("gRPC", None), ("HTTP", BASE64))
    }
    shown: dict[str, list[tuple[str, Row]]] = {}
    for load in CELLS:
        ours = [
            (name, named(found.rows, form_of(found.judged(engine), form), load.name))
            for name, (engine, form) in kinds.items()
        ]
        theirs = ("mosec at its best settings", best(found.rows, load.name))
        shown[load.name] = [(name, row) for name, row in (*ours, theirs) if row is not None]
    return shown
