"""A server's peak, and storms of more than it can do, by the benchmark's load generator."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.serving import Running

from .load import loading


@dataclass(frozen=True)
class Shape:
    """Requests of so many sentences, how many in flight give the most, and how long callers wait in a storm.

    `connections` is over how many the storm comes.
    """

    sentences: int
    concurrency: int
    deadline_ms: int
    connections: int = 4

    def __str__(self) -> str:
        return f"{self.sentences} a request, {self.connections} connections"


def peak(running: Running, bodies: Path, shape: Shape, seconds: float) -> float:
    """Measure sentences a second with as many requests in flight as give the most."""
    return float(in_flight(running, bodies, shape, seconds)["sentences_per_s"])


def in_flight(
    running: Running, bodies: Path, shape: Shape, seconds: float, *, key: str | None = None
) -> dict[str, Any]:
    """Keep as many requests in flight as `shape` says, and return the generator's figures."""
    flags = ["--concurrency", str(shape.concurrency), "--warmup", "1.5", *(["--key", key] if key else [])]
    return _load(running, bodies, shape, seconds, *flags)


def storm(
    running: Running, bodies: Path, shape: Shape, *, rate: float, seconds: float, when_over: Callable[[], None]
) -> dict[str, Any]:
    """Offer so many requests a second, and return the generator's figures; `when_over` is called after the last one."""
    flags = ["--rate", f"{rate:.1f}", "--deadline-ms", str(shape.deadline_ms), "--warmup", "0"]
    return _load(running, bodies, shape, seconds, *flags, when_over=when_over)


def _load(
    running: Running, bodies: Path, shape: Shape, seconds: float, *flags: str,
    when_over: Callable[[], None] = lambda: None,
) -> dict[str, Any]:  # fmt: skip
    where = ["--bodies", str(bodies), "--batch", str(shape.sentences), "--connections", str(shape.connections)]
    port = int(running.target.rpartition(":")[2])
    with loading(port, *where, "--seconds", f"{seconds:g}", *flags) as load:
        return load.result(when_over)
