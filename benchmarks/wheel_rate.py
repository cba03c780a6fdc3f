"""Rate of a server in another system, by a wheel, beside that of one built on this machine: in turns, 8 callers.

    python benchmarks/wheel_rate.py PROGRAM COMMAND…

PROGRAM is the `bothends` that was built here; COMMAND starts the other one, on this machine's network. Prints a line
for each precision. Ends with 1 where the wheel serves less than 0.95 times as much.
"""

import sys
import tempfile
from pathlib import Path
from statistics import median

import click

import generator
import loads
import sentences
from load.build import build
from processes import Process
from servers import BANNER, Server, ours_at

LEAST = 0.95
"""Share of the rate of this machine's own build that the wheel must reach."""
ROUNDS = 3
CALLERS = 8
WARMUP_S = 1.0
MEASURED_S = 4.0


def started(name: str, command: list[str], precision: str, logs: Path) -> Server:
    """Start one of the two servers. Raises ClickException where it doesn't start."""
    words = [*command, "serve", "--port", "0", "--http-port", "0", "--precision", precision]
    process = Process(name, words, ready=BANNER, log=logs / f"{name}-{precision}.log")
    return ours_at(name, process, None)


def rates(servers: list[Server], bodies: Path) -> list[float]:
    """Return the median of each server's sentences/s. Each has a turn in every round, and goes first in half."""
    found: dict[str, list[float]] = {server.name: [] for server in servers}
    for turn in range(ROUNDS):
        for server in servers if turn % 2 else servers[::-1]:
            ran = generator.run(server, loads.unary(CALLERS), bodies, warmup_s=WARMUP_S, seconds=MEASURED_S)
            found[server.name].append(ran.found["sentences_per_s"])
    return [median(found[server.name]) for server in servers]


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("program")
@click.argument("command", nargs=-1, required=True)
def main(program: str, command: tuple[str, ...]) -> None:
    """Measure both precisions that people serve."""
    build()
    lacking = False
    with tempfile.TemporaryDirectory() as folder:
        bodies = generator.write_bodies(Path(folder) / "bodies", sentences.load(None).texts)
        for precision in ("float32", "int8"):
            with (
                started("wheel", list(command), precision, Path(folder)) as wheel,
                started("build", [program], precision, Path(folder)) as own,
            ):
                by_wheel, by_build = rates([wheel, own], bodies)
            lacking |= by_wheel < LEAST * by_build
            told = f"{by_wheel:,.0f} sentences/s by the wheel, {by_build:,.0f} by a build"
            print(f"{precision}: {told}: {by_wheel / by_build:.2f} times")
    if lacking:
        sys.exit(f"the wheel serves less than {LEAST} times what a build of this machine does")


if __name__ == "__main__":
    main()
