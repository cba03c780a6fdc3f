"""How far one process goes, for docs/scaling.md: a table computed from what was measured. Measures nothing."""

from collections.abc import Iterator

from wall import amdahl, share_by_python

from .results import ComparisonResults
from .shard_bars import cpu_us, held_on, wall_on
from .shards import BY_PYTHON, CORES, ON_4, ON_128

MARKERS = ("<!-- wall:begin -->", "<!-- wall:end -->")
HEADINGS = (
    "cores", "on 128 connections: the longest-held mutex, µs", "Python's own lock, µs", "sentences/s at most",
    "by Amdahl's law", "calls that may take Python's path", "on 4 connections: the longest-held mutex, µs",
    "sentences/s at most",
)  # fmt: skip
_UNKNOWN = 'The figures aren\'t measured yet; `make bench ARGS="--bars --docs"` writes the table here.'


def markdown(found: ComparisonResults) -> str:
    """Return the table with what it was computed from, or that this wasn't measured."""
    cpu, rows = cpu_us(found), list(_rows(found))
    if cpu is None or len(rows) < len(CORES):
        return _UNKNOWN
    lines = [HEADINGS, ["--:"] * len(HEADINGS), *rows]
    return "\n".join([
        *(f"| {' | '.join(cells)} |" for cells in lines),
        "",
        f"Computed, not seen. Measured were, on {found.machine['cores']} cores ({found.machine['processor']}, "
        f"{found.machine['date']}), in int8, with sentences of {found.sentences['short']['mean_tokens']:.0f} tokens on "
        f"average: {cpu:.0f} µs of processor time a sentence, of a server as it comes; and of one that has as many "
        "shards and workers as the row has cores, under 128 callers, processor time a sentence under each lock.",
    ])  # fmt: skip


def _rows(found: ComparisonResults) -> Iterator[list[str]]:
    """Yield the cells of each number of cores of which all is known."""
    cpu = cpu_us(found)
    for cores in CORES:
        many, few, python = (held_on(cores, load.name, found) for load in (ON_128, ON_4, BY_PYTHON))
        most, least = (wall_on(cores, load.name, found) for load in (ON_128, ON_4))
        if cpu and many and few and python and most and least:
            by_amdahl, share = amdahl(cores, many.lock_us, cpu), share_by_python(most, many.gil_us, python.gil_us)
            times = [f"{many.longest_cpu_us:.2f}", f"{many.gil_us:.2f}"]
            rates = [f"{most:,.0f}", f"{by_amdahl:,.0f}", f"{share:.1%}".replace("%", " %")]
            yield [str(cores), *times, *rates, f"{few.longest_cpu_us:.2f}", f"{least:,.0f}"]
