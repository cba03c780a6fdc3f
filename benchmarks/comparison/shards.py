"""The transport in shards: servers that have one, or a number that is told, beside those that choose by themselves."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click

import generator
import locks
from generator import write_bodies
from loads import PEAK, Load
from results import INT8, medians, ours
from servers import Server, Split, start_ours

from .results import Held, Memory

ONE = Split(shards=1)
MANY, FEW = Split(shards=8, workers=8), Split(shards=2, workers=2)
TOGETHER, APART = Split(shards=1, workers=8), MANY
"""What is compared in memory: equal in all else."""
ON_4, ON_128 = locks.on(128, 4), locks.on(128, 128)
BY_PYTHON = locks.by_python(ON_128)
ITSELF, FOUR = Split(), Split(shards=4)
CORES = (4, 16, 64)
"""Numbers of cores for which it is computed how far a process goes."""
HELD: dict[Split, tuple[Load, ...]] = {
    ITSELF: (ON_4, ON_128, BY_PYTHON),
    FOUR: (ON_4, ON_128),
    **{Split(shards=cores, workers=cores): (ON_4, ON_128, BY_PYTHON) for cores in CORES},
}
"""Servers whose mutexes are counted, in int8, and the loads under which they are."""
AT_START, LATER = "at its start", "after many calls"


def on_cores(cores: int) -> Split:
    """Return what a server on so many cores takes by itself."""
    return Split(shards=cores, workers=cores)


def start_split(split: Split, logs: Path, *, engine: str, transport: str | None) -> Server:
    """Start a server so split. Raises ClickException where it can't be."""
    name = split.of(ours(engine, transport))
    folder = logs / name
    folder.mkdir(exist_ok=True)
    return replace(start_ours(folder, *split.flags(), engine=engine, transport=transport), name=name)


def count_held(split: Split, texts: Sequence[str], *, rounds: int, seconds: float, warmup_s: float) -> list[Held]:
    """Count the mutexes of a server so split, under its loads; medians of so many rounds. Raises ClickException."""
    with tempfile.TemporaryDirectory() as name:
        plain = write_bodies(Path(name) / "plain", texts)
        counting = locks.serve(Path(name), INT8, split)
        found: list[Held] = []
        with counting.server as server:
            for _ in range(rounds):
                for load in HELD[split]:
                    counted = locks.measure(counting, server, load, plain, seconds=seconds, warmup_s=warmup_s)
                    found.append(counted.held())
    return medians(found)


def weigh(split: Split, logs: Path, bodies: Path, *, transport: str | None, calls: int) -> Iterator[Memory]:
    """Measure the memory of a server so split, in int8, at its start and after so many calls. Raises ClickException."""
    with start_split(split, logs, engine=INT8, transport=transport) as server:
        yield Memory(server.name, AT_START, server.process.rss_bytes() / 1e6)
        answered = 0
        while answered < calls:
            ran = generator.run(server, PEAK, bodies, warmup_s=0, seconds=1)
            if not ran.found["ok"]:
                raise click.ClickException(f"no call was answered; statuses {ran.found['statuses']}")
            answered += ran.found["ok"]
        yield Memory(server.name, LATER, server.process.rss_bytes() / 1e6)
