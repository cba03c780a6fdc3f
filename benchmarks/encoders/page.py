"""What a run found, as tables and in sentences, for a terminal and for the documents."""

from collections.abc import Iterable, Sequence

from report import Table, number, table_in_markdown
from results import BF16, FLOAT32, INT8, ONNXRUNTIME

from .results import PYTORCH, TOKENS, EncoderResults, EncoderRow

ENGINES = (FLOAT32, BF16, INT8, ONNXRUNTIME, PYTORCH)
MARKERS = "<!-- encoders:begin -->", "<!-- encoders:end -->"
CHART = "your-encoder.png"
_WHOLE = 100
"""Rate from which on whole sentences say enough."""
_SHORT = {FLOAT32: "float32", BF16: "bf16", INT8: "int8"}


def tables(results: EncoderResults) -> list[Table]:
    """Return a table of batches, and one of single sentences, for each length of sentences."""
    return [table(results, tokens) for table in (_batches, _single) for tokens in TOKENS]


def markdown(results: EncoderResults) -> str:
    """Return what docs/your-encoder.md says of a run: its picture, its tables, and how they came about."""
    machine = results.machine
    made = (
        f"{machine['date']}, {machine['processor']}; each engine on one thread, in seconds of that core, the best of "
        f"{results.turns} turns, taken by the engines in turn; random weights and ids. A dash: not measured,"
        " or not computed by the native engine, so that onnxruntime serves it. The share is of what registers allow."
    )
    picture = f"![{headline(results)}](images/{CHART})"
    return "\n\n".join([f"{headline(results)}.", picture, *map(table_in_markdown, tables(results)), made])


def headline(results: EncoderResults) -> str:
    """Say in figures what the picture shows."""
    said = [
        f"{_range(found)} in {_SHORT[engine]}"
        for engine in (FLOAT32, INT8)
        if (found := [times for row in results.rows if (times := row.times(engine, ONNXRUNTIME)) is not None])
    ]
    return f"Times onnxruntime's sentences: {', '.join(said)}"


def sentence(results: EncoderResults, names: Sequence[str]) -> str:
    """Return a line for the README: how much faster the named encoders are than by onnxruntime."""
    said = []
    for row in results.rows:
        full, small = (row.times(engine, ONNXRUNTIME) for engine in (FLOAT32, INT8))
        if row.name in names and full and small:
            said.append(f"{row.name.partition(' ')[0]} {full:.1f} ({small:.1f} in int8)")
    return f"Times onnxruntime's sentences on one core: {', '.join(said)}." if said else ""


def _range(found: Iterable[float]) -> str:
    least, largest = (f"{value:.1f}" for value in (min(found), max(found)))
    return least if least == largest else f"{least} to {largest}"


def _batches(results: EncoderResults, tokens: int) -> Table:
    headings = ["units × layers", *(_SHORT.get(engine, engine) for engine in ENGINES)]
    headings += ["float32 over onnxruntime", "int8 over it", "share of the peak, %"]
    rows: list[Sequence[str]] = []
    for row in results.rows:
        times = (row.times(engine, ONNXRUNTIME, tokens) for engine in (FLOAT32, INT8))
        rows.append(
            [
                row.name,
                *(_rate(row.rate(engine, tokens)) for engine in ENGINES),
                *(_times(ratio) for ratio in times),
                " ".join(number(share and 100 * share, 0) for share in _shares(row, tokens)),
            ]
        )
    return Table(f"Sentences of {tokens} tokens in a second of a core, in batches", headings, rows)


def _single(results: EncoderResults, tokens: int) -> Table:
    headings = ["units × layers", *(_SHORT.get(engine, engine) for engine in ENGINES)]
    headings += ["onnxruntime over float32", "float32 on two cores"]
    rows: list[Sequence[str]] = []
    for row in results.rows:
        each = {engine: row.engines[engine][tokens] for engine in ENGINES if engine in row.engines}
        ours, other = each.get(FLOAT32), each.get(ONNXRUNTIME)
        rows.append(
            [
                row.name,
                *(number(each[engine].one_ms if engine in each else None, 2) for engine in ENGINES),
                _times(other.one_ms / ours.one_ms if ours and other else None),
                number(ours.one_on_two_ms if ours else None, 2),
            ]
        )
    return Table(f"One sentence of {tokens} tokens, in milliseconds", headings, rows)


def _rate(value: float | None) -> str:
    return number(value, 0 if value is None or value >= _WHOLE else 1)


def _shares(row: EncoderRow, tokens: int) -> list[float | None]:
    found = (row.engines.get(engine) for engine in (FLOAT32, BF16, INT8))
    return [engine[tokens].share_of_peak if engine else None for engine in found]


def _times(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.2f} ×"
