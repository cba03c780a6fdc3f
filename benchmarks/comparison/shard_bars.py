"""Bars on the transport in shards: how long its mutexes are held, how far that lets a process go, what shards win, and
what they cost.
"""

from functools import partial

from bars import Bar
from loads import PEAK, unary
from results import FLOAT32, INT8, ours
from wall import wall

from .forms import BASE64, Form, form_of
from .loads import CELLS
from .results import ComparisonResults, Held, named
from .shards import APART, AT_START, CORES, FEW, FOUR, LATER, MANY, ON_4, ON_128, ONE, TOGETHER, on_cores

_LIMIT, _AIM = 0.97, 1.05
"""Rates over those of one shard; the aim is set where there are callers enough for several."""

_HELD = (
    ("the longest-held mutex", "longest_us", 3, 1.5),
    ("all of the transport's mutexes", "sum_us", 9, 6),
)
"""Words for what is held, its figure, limit and aim."""


def held_on(cores: int, load: str, found: ComparisonResults) -> Held | None:
    """Return what was counted of a server with as many shards and workers as that."""
    held: Held | None = named(found.held, on_cores(cores).of(ours(INT8)), load)
    return held


def cpu_us(found: ComparisonResults) -> float | None:
    """Return the server's processor time of a sentence in int8, where nothing is counted, in microseconds."""
    row = named(found.rows, found.judged(INT8), PEAK.name)
    return 1000 * row.cpu_s_per_1000 if row and row.cpu_s_per_1000 is not None else None


def wall_on(cores: int, load: str, found: ComparisonResults) -> float | None:
    """Return the sentences a second that one process answers at most on so many cores, computed."""
    held, cpu = held_on(cores, load, found), cpu_us(found)
    return wall(cores, held.lock_us, cpu) if held and cpu else None


def _held(load: str, figure: str, found: ComparisonResults) -> float | None:
    row = named(found.held, FOUR.of(ours(INT8)), load)
    return float(getattr(row, figure)) if row else None


def _over(engine: str, form: Form | None, load: str, found: ComparisonResults) -> float | None:
    """Ratio of the sentences a second of a server that chooses its shards to those of one shard."""
    server = found.judged(engine)
    chosen, one = (named(found.rows, form_of(each, form), load) for each in (server, ONE.of(server)))
    return chosen.sentences_per_s / one.sentences_per_s if chosen and one else None


def _many_over_few(found: ComparisonResults) -> float | None:
    """The least of all loads."""
    server = found.judged(INT8)
    pairs = [[named(found.rows, split.of(server), load.name) for split in (MANY, FEW)] for load in CELLS]
    return min((many.sentences_per_s / few.sentences_per_s for many, few in pairs if many and few), default=None)


def _grown(when: str, found: ComparisonResults) -> float | None:
    """Megabytes that a shard takes."""
    many, one = (named(found.memory, split.of(found.judged(INT8)), when) for split in (APART, TOGETHER))
    more = (APART.shards or 1) - (TOGETHER.shards or 1)
    return (many.rss_mb - one.rss_mb) / more if many and one else None


def bars() -> list[Bar]:
    """Return them all."""
    aims, most = dict.fromkeys((unary(32), PEAK), _AIM), max(CORES)
    held = [
        Bar(f"{load.name}, {INT8}, {FOUR.name}: {what}, a sentence", "µs", limit, aim,
            partial(_held, load.name, figure), digits=2)
        for what, figure, limit, aim in _HELD for load in (ON_4, ON_128)
    ]  # fmt: skip
    over = [
        Bar(f"{load.name}, {engine}, {form.name if form else 'gRPC'}: sentences/s over those of {ONE.name}", "×",
            _LIMIT, aims.get(load), partial(_over, engine, form, load.name))
        for engine in (FLOAT32, INT8) for form in (None, BASE64) for load in CELLS
    ]  # fmt: skip
    return [
        *held,
        *(
            Bar(f"{load.name}, {INT8}, {most} cores: sentences/s of one process, computed", "/s", 330_000, 1_000_000,
                partial(wall_on, most, load.name))
            for load in (ON_4, ON_128)
        ),
        *over,
        Bar(f"any cell, {INT8}: sentences/s of {MANY.name} over {FEW.name}", "×", 0.9, None, _many_over_few),
        *(
            Bar(f"{INT8}, {APART.workers} workers, {when}: memory of a shard", "MB", 4, None, partial(_grown, when),
                less_is_better=True, digits=1)
            for when in (AT_START, LATER)
        ),
    ]  # fmt: skip
