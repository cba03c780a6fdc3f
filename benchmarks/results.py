"""The findings of a run of the benchmark, as plain data that goes to JSON and comes back."""

import json
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

OURS, NAIVE, MOSEC, TRITON = "bothends", "naive grpcio", "mosec", "triton"
IDLE = f"{OURS} on a device that takes no time"
"""Server whose GPU computes nothing, so that what it does is what its host can feed one."""
ONNXRUNTIME, FLOAT32, BF16, INT8 = "onnxruntime", "native float32", "native bf16", "native int8"
ENGINES = (ONNXRUNTIME, FLOAT32, BF16, INT8)
"""Engines that bothends runs on. The peers run on onnxruntime."""


def ours(engine: str, transport: str | None = None) -> str:
    """Return the name of our server on that engine, and on that transport where there is a choice."""
    return f"{OURS} {engine}" if transport is None else f"{OURS} {engine}, {transport} transport"


@dataclass(frozen=True, slots=True)
class Row:
    """One server under one load; None where a figure isn't known or doesn't apply."""

    server: str
    load: str
    sentences_per_s: float
    p50_ms: float | None
    p99_ms: float | None
    p999_ms: float | None
    cpu_s_per_1000: float | None
    """CPU-seconds of the server's process tree per 1,000 sentences answered."""
    rss_mb: float
    load_cores: float
    """Cores that the load generator took."""
    refused: float
    expired: float
    failed: float
    efficiency: float | None = None
    """Real tokens / tokens computed, padding included."""
    batch_rows: float | None = None
    offered_per_s: float | None = None
    """Sentences offered a second; like the next two, of an open loop only."""
    goodput_per_s: float | None = None
    """Sentences answered within the deadline."""
    refused_p99_ms: float | None = None
    peak_per_s: float | None = None
    """Closed-loop peak of this server in the same round, which the offered rate is a share of."""
    other_cores: float | None = None
    """Cores that neither the server nor the load generator took: other work on the machine."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """An engine in this process: batches of `batch`, on `threads` threads."""

    batch: int
    threads: int
    sentences_per_s: float
    cpu_s_per_1000: float


@dataclass(frozen=True, slots=True)
class Ceiling:
    """An engine's rates by itself; medians over the turns that it took, spread over the run."""

    engine: str
    turns: int
    schedules: list[Schedule]
    one_by_one_p50_ms: float
    """A sentence alone, on one thread: the engine's own batch-1 time."""
    one_by_one_cpu_s_per_1000: float

    @property
    def best(self) -> Schedule:
        """Return the schedule that gives the most sentences/s: the ceiling."""
        return max(self.schedules, key=_rate)

    def best_on(self, threads: int) -> Schedule | None:
        """Return the schedule that gives the most sentences/s on so many threads."""
        return max((each for each in self.schedules if each.threads == threads), key=_rate, default=None)


def _rate(schedule: Schedule) -> float:
    return schedule.sentences_per_s


@dataclass(frozen=True, slots=True)
class Memory:
    """A server's resident memory after so many sentences, in the order measured."""

    sentences: list[int]
    rss_mb: list[float]

    @property
    def growth(self) -> float:
        """Growth from the mark at a tenth of the way to the end, as a share."""
        first = next(rss for count, rss in zip(self.sentences, self.rss_mb, strict=True) if count >= self.mark)
        return self.rss_mb[-1] / first - 1

    @property
    def mark(self) -> float:
        """Number of sentences after which growth counts."""
        return self.sentences[-1] / 10


@dataclass(frozen=True, slots=True)
class Window:
    """Rate of our server on an engine with a limit on a batch's sentences."""

    engine: str
    max_batch_rows: int
    sentences_per_s: float
    cpu_s_per_1000: float | None
    batch_rows: float | None


@dataclass(slots=True)
class Results:
    """The findings of a whole run."""

    machine: dict[str, str]
    settings: dict[str, Any]
    sentences: dict[str, Any]
    default: str = ONNXRUNTIME
    """The engine that a server takes by itself on this machine."""
    ceilings: list[Ceiling] = field(default_factory=list)
    tokenise_cpu_s_per_1000: float | None = None
    rows: list[Row] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    memory: Memory | None = None
    comparison: dict[str, Any] | None = None
    """Findings of the latest run with --bars, as comparison/results.py reads them. A run of its own."""

    def ceiling(self, engine: str) -> Ceiling | None:
        """Return the ceiling of that engine, where it was measured."""
        return next((ceiling for ceiling in self.ceilings if ceiling.engine == engine), None)

    def row(self, server: str, load: str) -> Row | None:
        """Return the row of that server under that load, where it was measured."""
        return next((row for row in self.rows if (row.server, row.load) == (server, load)), None)

    def best(self, server: str, load: str) -> Row | None:
        """The row with the most sentences/s among those of a server whose settings vary: "mosec 4", "mosec 32"."""
        rows = [row for row in self.rows if row.load == load and row.server.split()[0] == server]
        return max(rows, key=lambda row: row.sentences_per_s, default=None)

    def save(self, file: Path) -> None:
        """Write JSON."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def open(cls, file: Path) -> "Results":
        """Read what `save` wrote."""
        data = json.loads(file.read_text(encoding="utf-8"))
        data["ceilings"] = [
            Ceiling(**ceiling | {"schedules": [Schedule(**schedule) for schedule in ceiling["schedules"]]})
            for ceiling in data["ceilings"]
        ]
        data["rows"] = [Row(**row) for row in data["rows"]]
        data["windows"] = [Window(**window) for window in data["windows"]]
        data["memory"] = Memory(**data["memory"]) if data["memory"] else None
        return cls(**data)


Figures = TypeVar("Figures")


def medians(rows: Iterable[Figures]) -> list[Figures]:
    """Return one row of each server and load: each figure the median over the rounds, counts by name their sum."""
    groups: dict[tuple[str, str], list[Figures]] = {}
    for row in rows:
        groups.setdefault((row.server, row.load), []).append(row)
    return [_median(group) for group in groups.values()]


def _median(rows: list[Figures]) -> Figures:
    return type(rows[0])(**{each.name: _middle([getattr(row, each.name) for row in rows]) for each in fields(rows[0])})


def _middle(values: list[Any]) -> Any:
    match values[0]:
        case str():
            return values[0]
        case dict():
            return dict(sum(map(Counter, values), Counter()))
        case _:
            return median(values)


def median(values: Iterable[float | None]) -> float | None:
    """Return the median of the values that are known, if any."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
