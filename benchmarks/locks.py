"""Measures for how long each mutex of a server is held: what one lock takes of a sentence bounds a process on any
number of cores.

python benchmarks/locks.py                          # int8; gRPC and HTTP, 1 to 128 callers
python benchmarks/locks.py --engine "bothends, float32" --seconds 5
"""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

import engines
from comparison.forms import FLOAT
from generator import run, write_bodies
from load.build import build
from loads import Load, unary
from processes import Process
from results import INT8
from sentences import load
from servers import BANNER, BOTHENDS, Server, ours_at

SOURCE = Path(__file__).parent / "held" / "held.c"
CALLERS = 1, 8, 32, 128
_TELLS_S = 10.0
"""Time in which a process must have written what it counted."""


@dataclass(frozen=True, slots=True)
class Mutex:
    """One mutex under one load. Times are of a sentence."""

    load: str
    sentences_per_s: float
    module: str
    holds: float
    """Times that it was taken."""
    held_us: float
    waited_us: float

    @property
    def wall_per_s(self) -> float:
        """Sentences a second at which it would always be held: no number of cores gives more."""
        return 1e6 / self.held_us


class Counting:
    """A server whose mutexes are counted."""

    def __init__(self, server: Server, told: Path) -> None:
        """`told` is the file that the server writes."""
        self.server = server
        self._told = told

    def tell(self) -> tuple[float, list[dict[str, float | str]]]:
        """Return the seconds since it was last asked, and what it counted of each mutex in them."""
        self._told.unlink(missing_ok=True)
        os.kill(self.server.process.tree[0].pid, signal.SIGRTMIN)
        end = time.monotonic() + _TELLS_S
        while not self._told.exists():
            if time.monotonic() > end:
                raise click.ClickException("the server doesn't say what it counted")
            time.sleep(0.01)
        first, *rest = [json.loads(line) for line in self._told.read_text("utf-8").splitlines()]
        return first["seconds"], rest


def serve(folder: Path, engine: str) -> Counting:
    """Start a server whose mutexes are counted. Raises ClickException where there is no compiler, or no server."""
    library, told = folder / "held.so", folder / "held.jsonl"
    command = ["cc", "-O2", "-shared", "-fPIC", str(SOURCE), "-o", str(library), "-ldl"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise click.ClickException(f"{SOURCE.name} can't be compiled: {getattr(error, 'stderr', error)}") from error
    variables = {"LD_PRELOAD": str(library), "HELD_OUT": str(told)}
    serving = [str(BOTHENDS), "serve", "--port", "0", "--http-port", "0", *engines.flags(engine)]
    process = Process(engine, serving, ready=BANNER, log=folder / "server.log", variables=variables)
    return Counting(ours_at(engine, process, engine), told)


def measure(counting: Counting, server: Server, load_of: Load, bodies: Path, seconds: float) -> Iterator[Mutex]:
    """Measure each mutex that is held for some part of a microsecond a sentence, the longest-held one first."""
    counting.tell()
    found = run(server, load_of, bodies, warmup_s=0.2, seconds=seconds).found
    counted_s, mutexes = counting.tell()
    rate = float(found["sentences_per_s"])
    sentences = rate * counted_s
    for each in sorted(mutexes, key=lambda one: -float(one["held_s"])):
        held_us = 1e6 * float(each["held_s"]) / sentences
        if held_us < 0.1:
            return
        module = Path(str(each["module"])).name.partition(".")[0]
        waited_us = 1e6 * float(each["waited_s"]) / sentences
        yield Mutex(load_of.name, rate, module, float(each["holds"]) / sentences, held_us, waited_us)


def show(console: Console, found: list[Mutex]) -> None:
    """Print a line a mutex, and what the longest-held one leaves of more cores."""
    table = Table("load", "sentences/s", "mutex of", "taken", "held, µs", "waited, µs", "wall, sentences/s", box=None)
    for each in found:
        cells = (f"{each.sentences_per_s:,.0f}", each.module, f"{each.holds:.2f}", f"{each.held_us:.2f}")
        table.add_row(each.load, *cells, f"{each.waited_us:.2f}", f"{each.wall_per_s:,.0f}")
    console.print(table)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--engine", type=click.Choice(engines.built()), default=INT8, show_default=True, help="Engine of the server."
)
@click.option("--seconds", default=3.0, show_default=True, help="Measured time of a load.")
def main(engine: str, seconds: float) -> None:
    """Measure each mutex of a server under loads of one sentence a call, over gRPC and HTTP."""
    build()
    found: list[Mutex] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bodies = write_bodies(folder / "bodies", load(None).texts)
        counting = serve(folder, engine)
        with counting.server as server:
            for kind, at in (("gRPC", server), ("HTTP", FLOAT.on(server))):
                for callers in CALLERS:
                    named = replace(unary(callers), name=f"{kind}, {callers} callers")
                    found += measure(counting, at, named, bodies, seconds)
    show(Console(), found)


if __name__ == "__main__":
    main()
