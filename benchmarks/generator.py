"""Runs the load generator in load/ against a server, measures that server, and returns rows of results."""

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import psutil

from load.build import GENERATOR
from loads import Load
from results import Row
from servers import Server

_LONG_S = 3600
"""Seconds of a load that is ended when nobody needs it any more."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run of the generator: its figures, and the CPU-seconds that went elsewhere in its measured time."""

    found: dict[str, Any]
    server_cpu_s: float
    other_cpu_s: float
    """CPU-seconds of all that is neither the server nor the generator."""

    @property
    def load_cores(self) -> float:
        """Cores that the generator took."""
        return float(self.found["cpu_s"] / self.found["seconds"])


def write_bodies(file: Path, texts: Sequence[str]) -> Path:
    """Write sentences as the generator reads them, one a line."""
    file.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return file


def run(
    server: Server,
    load: Load,
    bodies: Path,
    *,
    warmup_s: float,
    seconds: float,
    when_over: Callable[[], None] | None = None,
) -> Run:
    """Run `load`. Raises ClickException where the server died or the generator can't go on.

    The generator says when its measured time begins and ends; CPU time is read at both, so that warm-up is left out and
    CPU and sentences are of the same seconds. `when_over` is called at the end, once nothing more is sent.
    """
    with tempfile.TemporaryFile("w+") as answer:
        command = _command(server, load, bodies, warmup_s=warmup_s, seconds=seconds)
        generator = subprocess.Popen(command, stdout=answer, stderr=subprocess.PIPE, text=True)
        try:
            assert generator.stderr is not None
            cpu_s, said = [], []
            for line in generator.stderr:
                if line in ("begin\n", "end\n"):
                    cpu_s.append((server.process.cpu_s(), _machine_cpu_s()))
                    if line == "end\n" and when_over:
                        when_over()
                else:
                    said.append(line)
        finally:
            generator.kill()  # it has ended, but after an error or Ctrl-C
            generator.wait()
        server.process.check()
        if generator.returncode or len(cpu_s) != 2:
            raise click.ClickException(f"the load generator failed on {server.name}: {''.join(said).strip()}")
        answer.seek(0)
        found = json.load(answer)
    server_s, machine_s = (after - before for before, after in zip(*cpu_s, strict=True))
    return Run(found, server_s, max(0.0, machine_s - server_s - found["cpu_s"]))


@contextmanager
def beside(server: Server, load: Load, bodies: Path, *, warmup_s: float) -> Iterator[None]:
    """Keep `load` running, once it has warmed up. Raises ClickException where the generator can't go on."""
    command = _command(server, load, bodies, warmup_s=warmup_s, seconds=_LONG_S)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as generator:
        try:
            assert generator.stderr is not None
            said = generator.stderr.readline()
            if said == "begin\n":
                yield
            if generator.poll() is not None or said != "begin\n":
                raise click.ClickException(f"the load generator failed on {server.name}: {said.strip()}")
        finally:
            generator.kill()


def measure(server: Server, load: Load, bodies: Path, *, warmup_s: float, seconds: float) -> Row:
    """Run `load` and make a row of it. Raises ClickException where the server died or answers nonsense."""
    return _row(server, load, run(server, load, bodies, warmup_s=warmup_s, seconds=seconds))


def _command(server: Server, load: Load, bodies: Path, *, warmup_s: float, seconds: float) -> list[str]:
    least = 4 * server.dimension * load.batch
    command = [str(GENERATOR), "--port", str(server.port), "--bodies", str(bodies), "--min-response-bytes", str(least)]
    return [*command, *server.flags, *load.flags(), "--warmup", f"{warmup_s:g}", "--seconds", f"{seconds:g}"]


def _machine_cpu_s() -> float:
    """Return the CPU-seconds that the machine has spent on anything, or another machine has taken from it."""
    spent = psutil.cpu_times()
    return float(sum(spent) - spent.idle - spent.iowait - spent.guest - spent.guest_nice)  # guests are in `user` too


def _row(server: Server, load: Load, ran: Run) -> Row:
    found = ran.found
    seconds, latency = found["seconds"], found["latency_ms"]
    failed = found["requests"] - found["ok"] - found["refused"] - found["expired"] + found["short_answers"]
    if load.rate is None and (failed or not found["ok"]):
        raise click.ClickException(f"{server.name}, {load.name}: {failed} wrong answers; statuses {found['statuses']}")
    return Row(
        server.name,
        load.name,
        sentences_per_s=found["sentences_per_s"],
        p50_ms=latency["p50"],
        p99_ms=latency["p99"],
        p999_ms=latency["p99.9"],
        cpu_s_per_1000=1000 * ran.server_cpu_s / found["sentences"] if found["sentences"] else None,
        rss_mb=server.process.rss_bytes() / 1e6,
        load_cores=ran.load_cores,
        refused=found["refused"],
        expired=found["expired"],
        failed=failed,
        offered_per_s=load.rate,
        other_cores=ran.other_cpu_s / seconds,
    )
