"""Measures for how long each mutex of a server is held, and Python's own lock: what one of them takes of a sentence
bounds a process on any number of cores.

python benchmarks/locks.py                          # int8; gRPC and HTTP, 1 to 128 callers
python benchmarks/locks.py --shards 1 --shards 4 --callers 128 --connections 4 --connections 128
python benchmarks/locks.py --engine "native float32" --seconds 5 --json locks.json
"""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

import engines
from comparison.forms import FLOAT
from comparison.results import Held
from generator import run, write_bodies
from load.build import build
from loads import Load
from processes import Process
from results import INT8, ours
from sentences import load
from servers import BANNER, BOTHENDS, Server, Split, ours_at

SOURCE = Path(__file__).parent / "held" / "held.c"
CALLERS = 1, 8, 32, 128
GIL, TRANSPORT = "GIL", "_transport"
"""Names of Python's own lock, and of the module whose mutexes are the transport's."""
_MIN_US = 0.1
"""Microseconds of a sentence from which on a mutex has a line."""
_TELLS_S = 10.0
"""Time in which a process must have written what it counted."""


@dataclass(frozen=True, slots=True)
class Mutex:
    """One mutex under one load, or the GIL. Times are of a sentence."""

    module: str
    holds: float
    """Times that it was taken."""
    held_us: float
    cpu_us: float
    """Time of a processor while it was held: less than `held_us` where its holders had to wait for one."""
    inner_us: float
    """Part of `held_us` for which its holder held another before it."""
    waited_us: float

    @property
    def wall_per_s(self) -> float:
        """Sentences a second at which a processor would always be under it: no number of cores gives more."""
        return 1e6 / self.cpu_us


@dataclass(frozen=True, slots=True)
class Counted:
    """All mutexes of a server under one load, the longest-held one first, and the GIL."""

    server: str
    load: str
    sentences_per_s: float
    mutexes: list[Mutex]
    gil: Mutex

    def held(self) -> Held:
        """Return what bars are set on."""
        parts = [each for each in self.mutexes if each.module == TRANSPORT]
        return Held(
            self.server,
            self.load,
            self.sentences_per_s,
            longest_us=max((each.held_us for each in self.mutexes), default=0.0),
            longest_cpu_us=max((each.cpu_us for each in self.mutexes), default=0.0),
            sum_us=sum(each.held_us - each.inner_us for each in parts),
            waited_us=sum(each.waited_us for each in parts),
            gil_us=self.gil.cpu_us,
        )


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


def compile_library(folder: Path) -> Path:
    """Compile the library that counts. Raises ClickException where there is no compiler."""
    library = folder / "held.so"
    command = ["cc", "-O2", "-shared", "-fPIC", str(SOURCE), "-o", str(library), "-ldl"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise click.ClickException(f"{SOURCE.name} can't be compiled: {getattr(error, 'stderr', error)}") from error
    return library


def counting(library: Path, told: Path) -> dict[str, str]:
    """Return the variables by which a program counts, and writes what it counted to `told`."""
    paths = [str(library.parent), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    # By name: a list of libraries to load is split at spaces, and that of folders isn't.
    return {"LD_PRELOAD": library.name, "LD_LIBRARY_PATH": os.pathsep.join(paths), "HELD_OUT": str(told)}


def serve(folder: Path, engine: str, split: Split) -> Counting:
    """Start a server whose mutexes are counted. Raises ClickException where there is no compiler, or no server."""
    told, name = folder / "held.jsonl", split.of(ours(engine))
    variables = counting(compile_library(folder), told)
    serving = [str(BOTHENDS), "serve", "--port", "0", "--http-port", "0", *engines.flags(engine), *split.flags()]
    process = Process(name, serving, ready=BANNER, log=folder / "server.log", variables=variables)
    return Counting(ours_at(name, process, engine), told)


def measure(
    counting: Counting, at: Server, load_of: Load, bodies: Path, *, seconds: float, warmup_s: float = 0.2
) -> Counted:
    """Measure each mutex of a server, which callers of that load know as `at`. Raises ClickException."""
    counting.tell()
    found = run(at, load_of, bodies, warmup_s=warmup_s, seconds=seconds).found
    counted_s, told = counting.tell()
    rate = float(found["sentences_per_s"])
    if not rate:
        raise click.ClickException(f"nothing was answered; statuses {found['statuses']}")
    mutexes = [_mutex(each, rate * counted_s) for each in told]
    (gil,) = (each for each in mutexes if each.module == GIL)
    mutexes.sort(key=lambda each: -each.held_us)
    return Counted(counting.server.name, load_of.name, rate, [each for each in mutexes if each is not gil], gil)


def _mutex(told: dict[str, float | str], sentences: float) -> Mutex:
    """Return what was told of a mutex, by the sentence."""
    module = Path(str(told["module"])).name.partition(".")[0]
    held_us, cpu_us, inner_us, waited_us = (
        1e6 * float(told[name]) / sentences for name in ("held_s", "cpu_s", "inner_s", "waited_s")
    )
    return Mutex(module, float(told["holds"]) / sentences, held_us, cpu_us, inner_us, waited_us)


def loads(callers: Sequence[int], connections: Sequence[int]) -> Iterator[Load]:
    """Yield the loads of one sentence a call over gRPC; no more connections than callers."""
    for count in callers:
        for few in dict.fromkeys(min(count, each) for each in connections):
            yield on(count, few)


def on(callers: int, connections: int) -> Load:
    """Return a load of so many callers over gRPC, on so many connections."""
    return Load(
        f"gRPC, {_counted(callers, 'caller')} on {_counted(connections, 'connection')}",
        concurrency=callers,
        connections=connections,
    )


def by_python(plain: Load) -> Load:
    """Return the same load of calls that take Python's path."""
    return replace(plain, name=f"{plain.name}, through Python", unknown_field=1)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count > 1)}"


def show(console: Console, found: list[Counted]) -> None:
    """Print a line a mutex, what the longest-held one leaves of more cores, and what the transport's are together: a
    mutex that is held within another counts once there.
    """
    headings = ("mutex of", "taken", "held, µs", "by processor, µs", "waited, µs", "wall, sentences/s")
    for each in found:
        console.print(f"\n{each.server}, {each.load}: {each.sentences_per_s:,.0f} sentences/s", highlight=False)
        table = Table(*headings, box=None)
        for mutex in [*each.mutexes, each.gil]:
            if mutex.held_us >= _MIN_US:
                times = (f"{time:.2f}" for time in (mutex.holds, mutex.held_us, mutex.cpu_us, mutex.waited_us))
                table.add_row(mutex.module, *times, f"{mutex.wall_per_s:,.0f}")
        held = each.held()
        longest = (f"{time:.2f}" for time in (held.longest_us, held.longest_cpu_us))
        table.add_row("longest", "", *longest, "", f"{1e6 / held.longest_cpu_us:,.0f}")
        table.add_row("sum of transport", "", f"{held.sum_us:.2f}", "", f"{held.waited_us:.2f}")
        console.print(table)


def _of(server: Server, counting: Counting, folder: Path, among: Sequence[Load], seconds: float) -> Iterator[Counted]:
    """Measure every load over gRPC and HTTP, and those calls that take Python's path."""
    plain = write_bodies(folder / "bodies", load(None).texts)
    for each in among:
        yield measure(counting, server, each, plain, seconds=seconds)
    for callers in dict.fromkeys(each.concurrency for each in among):
        over = Load(f"HTTP, {_counted(callers or 0, 'caller')}", concurrency=callers)
        yield measure(counting, FLOAT.on(server), over, plain, seconds=seconds)
    yield measure(counting, server, by_python(among[-1]), plain, seconds=seconds)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--engine", "names", type=click.Choice(engines.built()), multiple=True, default=[INT8], show_default=True,
    help="Engine of the server; again for another.",
)  # fmt: skip
@click.option("--shards", type=int, multiple=True, help="Parts of the transport; again for another number.")
@click.option("--workers", type=int, help="Threads that compute.")
@click.option("--callers", type=int, multiple=True, default=CALLERS, show_default=True, help="Calls at a time.")
@click.option("--connections", type=int, multiple=True, default=[4], show_default=True, help="Connections over gRPC.")
@click.option("--seconds", default=3.0, show_default=True, help="Measured time of a load.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Where to write what was found, too.")
def main(
    *,
    names: tuple[str, ...],
    shards: tuple[int, ...],
    workers: int | None,
    callers: tuple[int, ...],
    connections: tuple[int, ...],
    seconds: float,
    file: Path | None,
) -> None:
    """Measure each mutex of a server under loads of one sentence a call, over gRPC and HTTP, and through Python."""
    build()
    found: list[Counted] = []
    for engine in names:
        for parts in shards or [None]:
            with tempfile.TemporaryDirectory() as name:
                counting = serve(Path(name), engine, Split(parts, workers))
                with counting.server as server:
                    found += _of(server, counting, Path(name), list(loads(callers, connections)), seconds)
    show(Console(), found)
    if file:
        file.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
