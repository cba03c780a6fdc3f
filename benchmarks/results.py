"""The findings of a run of the benchmark, as plain data that goes to JSON and comes back."""

import json
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

OURS, MOSEC = "bothends", "mosec"
IDLE = f"{OURS} on a device that takes no time"
"""Server whose GPU computes nothing, so that what it does is what its host can feed one."""
ONNXRUNTIME, FLOAT32, BF16, INT8 = "onnxruntime", "native float32", "native bf16", "native int8"
ENGINES = (ONNXRUNTIME, FLOAT32, BF16, INT8)
"""Engines that bothends runs on. mosec runs on onnxruntime."""


def ours(engine: str, transport: str | None = None) -> str:
    """Return the name of our server on that engine, and on that transport where there is a choice."""
    return f"{OURS} {engine}" if transport is None else f"{OURS} {engine}, {transport} transport"


class Saved:
    """Findings that are kept as JSON: the base of dataclasses, frozen or not."""

    __slots__ = ()

    def save(self, file: Path) -> None:
        """Write JSON."""
        file.parent.mkdir(parents=True, exist_ok=True)
        found: Any = self
        file.write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")


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
    offered_per_s: float | None = None
    """Sentences offered a second, of an open loop only."""
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


@dataclass(slots=True)
class Results(Saved):
    """The findings of a run of the engines by themselves, and beside them those of servers."""

    machine: dict[str, str]
    settings: dict[str, Any]
    sentences: dict[str, Any]
    ceilings: list[Ceiling] = field(default_factory=list)
    tokenise_cpu_s_per_1000: float | None = None
    comparison: dict[str, Any] | None = None
    """Findings of the latest run of servers beside each other, as comparison/results.py reads them."""

    def ceiling(self, engine: str) -> Ceiling | None:
        """Return the ceiling of that engine, where it was measured."""
        return next((ceiling for ceiling in self.ceilings if ceiling.engine == engine), None)

    @classmethod
    def open(cls, file: Path) -> "Results":
        """Read what `save` wrote."""
        data = json.loads(file.read_text(encoding="utf-8"))
        data["ceilings"] = [
            Ceiling(**ceiling | {"schedules": [Schedule(**schedule) for schedule in ceiling["schedules"]]})
            for ceiling in data["ceilings"]
        ]
        return cls(**data)


Figures = TypeVar("Figures", bound=Any)


def medians(rows: Iterable[Figures]) -> list[Figures]:
    """Return one row of each server and load: each figure the median over the rounds, counts by name their sum."""
    groups: dict[tuple[str, str], list[Figures]] = {}
    for row in rows:
        groups.setdefault((row.server, row.load), []).append(row)
    return [_median(group) for group in groups.values()]


def _median(rows: list[Figures]) -> Figures:
    values = {each.name: _middle([getattr(row, each.name) for row in rows]) for each in fields(rows[0])}
    median: Figures = type(rows[0])(**values)
    return median


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
