"""The findings of a run of the comparison, as plain data that goes to JSON and comes back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from results import MOSEC, Figures, Row, Saved, ours


@dataclass(frozen=True, slots=True)
class Storm:
    """A server under more than it can do, in an open loop whose calls have a deadline."""

    server: str
    load: str
    peak_per_s: float
    """Sentences a second in a closed loop, just before."""
    offered_per_s: float
    goodput_per_s: float
    """Sentences answered within the deadline."""
    of_peak: float
    """Goodput as a share of the peak."""
    of_peak_by_cpu: float
    """The same share, of a CPU-second that the load generator left in each."""
    load_cores: float
    """Cores that the generator took."""
    p99_ms: float | None
    refused_p99_ms: float | None
    recovery_s: float
    """Seconds from its end until a call was as quick as before it."""
    calls: dict[str, int]
    """Calls that were `offered`, `answered`, `expired` (most of them in the generator: they never left it) and
    `told_when`: refused by RESOURCE_EXHAUSTED that says when to come again.
    """
    statuses: dict[str, int]
    """Calls by gRPC's number, "none" where the connection broke."""

    @property
    def told_when(self) -> float | None:
        """Return the share of the calls neither answered nor expired that was told when to come again."""
        refused = self.calls["offered"] - self.calls.get("answered", 0) - self.calls.get("expired", 0)
        return self.calls.get("told_when", 0) / refused if refused > 0 else None


@dataclass(frozen=True, slots=True)
class Empty:
    """A server under calls that hold no sentence: what a call costs by itself."""

    server: str
    load: str
    calls_per_s: float
    cpu_us: float
    """CPU time of the server a call."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The calls of one load, alone and beside another."""

    server: str
    load: str
    alone_p99_ms: float
    p99_ms: float | None
    answered: float
    """Share of them that was answered beside the other load."""

    @property
    def seen_p99_ms(self) -> float:
        """Return the p99 of all calls: without end where more than one in a hundred wasn't answered."""
        return self.p99_ms if self.p99_ms is not None and self.answered >= 0.99 else float("inf")


@dataclass(frozen=True, slots=True)
class Alone:
    """An engine in the benchmark's own process, with no server around it: its best schedule on all cores."""

    server: str
    """Name of the engine."""
    load: str
    """Words for the schedule."""
    sentences_per_s: float
    cpu_s_per_1000: float


@dataclass(frozen=True, slots=True)
class Held:
    """A server's mutexes under one load. Times are of a sentence, in microseconds."""

    server: str
    load: str
    sentences_per_s: float
    longest_us: float
    """Time for which the longest-held mutex was held, by the clock."""
    longest_cpu_us: float
    """Time of a processor under the mutex that takes the most of it: what is left where nobody waits for a core."""
    sum_us: float
    """Time for which the transport's mutexes were held, all together; one within another counts once."""
    waited_us: float
    """Time for which threads waited for the transport's mutexes, all together."""
    gil_us: float
    """Time of a processor under Python's own lock."""

    @property
    def lock_us(self) -> float:
        """Return the time of a processor under whichever lock takes the most of it."""
        return max(self.longest_cpu_us, self.gil_us)


@dataclass(frozen=True, slots=True)
class Memory:
    """A server's memory at some time."""

    server: str
    load: str
    """Words for when it was."""
    rss_mb: float


@dataclass(slots=True)
class ComparisonResults(Saved):
    """The findings of a whole run."""

    machine: dict[str, str]
    settings: dict[str, Any]
    sentences: dict[str, dict[str, Any]]
    transports: list[str | None] = field(default_factory=list)
    """Transports that serve here, the one that is judged first; None is the only one that a server has."""
    skipped: list[str] = field(default_factory=list)
    """Lines that say which servers can't run here, and why."""
    rows: list[Row] = field(default_factory=list)
    """Closed loops of sentences as people send them."""
    longer: list[Row] = field(default_factory=list)
    """Closed loops of longer ones."""
    empty: list[Empty] = field(default_factory=list)
    storms: list[Storm] = field(default_factory=list)
    neighbours: list[Neighbours] = field(default_factory=list)
    alone: list[Alone] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)

    def judged(self, engine: str) -> str:
        """Return the name of the server that bars are set on."""
        return ours(engine, self.transports[0] if self.transports else None)

    @classmethod
    def open(cls, file: Path) -> "ComparisonResults":
        """Read what `save` wrote, or the part of benchmarks/performance.json that is of such a run."""
        data = json.loads(file.read_text(encoding="utf-8"))
        return cls.of(data.get("comparison") or data)

    @classmethod
    def of(cls, data: dict[str, Any]) -> "ComparisonResults":
        """Make it of what JSON holds."""
        kinds = {"rows": Row, "longer": Row, "empty": Empty, "storms": Storm, "neighbours": Neighbours, "alone": Alone,
                 "held": Held, "memory": Memory}  # fmt: skip
        return cls(**data | {name: [kind(**each) for each in data.get(name, [])] for name, kind in kinds.items()})


def named(found: Sequence[Figures], server: str, load: str) -> Figures | None:
    """Return what was found of that server under that load, or None."""
    return next((each for each in found if (each.server, each.load) == (server, load)), None)


def best(rows: Sequence[Row], load: str) -> Row | None:
    """Return the row with the most sentences/s among those of mosec at that load, whatever its settings."""
    return max((row for row in _mosecs(rows) if row.load == load), key=_rate, default=None)


def fastest(rows: Sequence[Row], settings: int) -> set[str]:
    """Return the names of so many settings of mosec, those with the most sentences/s."""
    return {row.server for row in sorted(_mosecs(rows), key=_rate, reverse=True)[:settings]}


def _mosecs(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.server.split()[0] == MOSEC]


def _rate(row: Row) -> float:
    return row.sentences_per_s
