"""Measures `bothends embed --input` beside its ceiling: the tokenizer and engine alone, length-sorted. Where panels
stand and what all dashboards share is here; what they show is in overview.py, engine.py and connections.py.

python benchmarks/bulk.py [--rows 20000] [--rounds 3] [--output npy]

Rates are of what rows add: what a run over one row takes, in the same round, is taken off. On a machine
that does other things too, look at the ratios, and most at that of CPU time.
"""

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import psutil

import engines
from bothends.model.bundle import Bundle, default_path
from tokens import tokenizer_of
from varied import varied

_BATCHES = (8, 16)
_CORES = len(os.sched_getaffinity(0))
_EVERY_S = 0.5


@dataclass
class Cost:
    """Cost of some rows: seconds, CPU-seconds of the whole process, and resident MiB as they went by."""

    seconds: float
    cpu_s: float
    rss_mib: list[float] = field(default_factory=list)


class Alone:
    """Tokenizer and engine, without anything around them."""

    def __init__(self) -> None:
        bundle = Bundle.open(default_path())
        self._tokenizer = tokenizer_of(bundle)
        self._engine = engines.load(engines.default(), bundle)

    def cost(self, texts: Sequence[str], batch: int) -> Cost:
        """Tokenise all, sort all, run batches of `batch` on every core."""
        started, cpu_at_start = time.perf_counter(), time.process_time()
        ids = sorted((tokens.ids for tokens in self._tokenizer.encode(texts)), key=len)
        left = [ids[start : start + batch] for start in range(0, len(ids), batch)]  # from its end: long ones first
        lock = threading.Lock()

        def drain(_: int) -> None:
            while True:
                with lock:
                    if not left:
                        return
                    taken = left.pop()
                self._engine.run(taken)

        with ThreadPoolExecutor(_CORES) as pool:
            list(pool.map(drain, range(_CORES)))
        return Cost(time.perf_counter() - started, time.process_time() - cpu_at_start)


def command(source: Path, output: Path) -> Cost:
    """Run the command from `source` to `output`."""
    flags = ["embed", "--input", source, "--output", output, "--overwrite", "--device", "cpu"]
    environment = {name: value for name, value in os.environ.items() if name != "BOTHENDS_SERVER"}
    started, before, rss_mib = time.perf_counter(), os.times(), []
    with subprocess.Popen(
        [Path(sys.executable).parent / "bothends", *flags], stderr=subprocess.DEVNULL, env=environment
    ) as process:
        watched = psutil.Process(process.pid)
        while process.returncode is None:
            rss_mib.append(watched.memory_info().rss / 2**20)
            try:
                process.wait(_EVERY_S)
            except subprocess.TimeoutExpired:
                continue
    assert process.returncode == 0
    after = os.times()
    children = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(time.perf_counter() - started, children, rss_mib)


@click.command()
@click.option("--rows", default=20_000, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--output", type=click.Choice(["npy", "parquet", "jsonl"]), default="npy", show_default=True)
def main(rows: int, rounds: int, output: str) -> None:
    """Measure, a round after another, and print the ratios' medians."""
    texts, alone = list(islice(varied(), rows)), Alone()
    rates, cpus = [], []
    with TemporaryDirectory() as name:
        folder = Path(name)
        one, every = folder / "one.txt", folder / "every.txt"
        one.write_text(texts[0] + "\n", encoding="utf-8")
        every.write_text("\n".join(texts) + "\n", encoding="utf-8")
        for _ in range(rounds):
            before = min((alone.cost(texts, batch) for batch in _BATCHES), key=lambda cost: cost.cpu_s)
            start = command(one, folder / f"one.{output}")
            ran = command(every, folder / f"every.{output}")
            after = min((alone.cost(texts, batch) for batch in _BATCHES), key=lambda cost: cost.cpu_s)
            best_s, best_cpu_s = (before.seconds + after.seconds) / 2, (before.cpu_s + after.cpu_s) / 2
            seconds, cpu_s = ran.seconds - start.seconds, ran.cpu_s - start.cpu_s
            rates.append(best_s / seconds)
            cpus.append(best_cpu_s / cpu_s)
            print(
                f"{rows / seconds:6.0f} rows/s of {rows / best_s:6.0f}: {rates[-1]:.2f}    "
                f"CPU-s per 1,000 rows {1000 * cpu_s / rows:.3f}, alone {1000 * best_cpu_s / rows:.3f}: {cpus[-1]:.2f} "
                f"RSS MiB, a tenth each: {' '.join(f'{rss:.0f}' for rss in _tenths(ran.rss_mib))}"
            )
    print(f"median of the ceiling: rate {statistics.median(rates):.2f}, CPU {statistics.median(cpus):.2f}")


def _tenths(values: Sequence[float]) -> list[float]:
    return [values[min(len(values) - 1, len(values) * tenth // 10)] for tenth in range(1, 11)]


if __name__ == "__main__":
    main()
