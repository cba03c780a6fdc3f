"""Measures what a start takes: imports, the time from `bothends serve` to the first answer, and a server's memory.

python benchmarks/start.py            # prints the figures beside their bars, in a minute; nothing else may run
python benchmarks/start.py --docs     # writes docs/performance.md too
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import click

import machine
from bothends import Client
from results import FLOAT32, INT8
from servers import Server, start_ours

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"
_MARKERS = ("<!-- start:begin -->", "<!-- start:end -->")
_TIMED = "import time; begun = time.perf_counter(); {}; print(time.perf_counter() - begun)"
_IMPORTS = ("import bothends", "from bothends import Client", "from bothends import Encoder")
_SENTENCE = "there will be dragons, number {}"
_CALLERS = 8
_SIZES = (1, 32, 7, 128, 300)
"""Sentences of a request, in turn, by which a server gets the memory that it works with."""
_REQUESTS = 400


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: what was measured, in which unit, and its bar, above which it is missed."""

    name: str
    value: float
    unit: str
    bar: float | None = None

    def cells(self) -> str:
        """Return the row of a table."""
        bar = "" if self.bar is None else f"≤ {self.bar:g} {self.unit}"
        met = "" if self.bar is None else "met" if self.value <= self.bar else "**missed**"
        return f"| {self.name} | {self.value:.{2 if self.unit == 's' else 0}f} {self.unit} | {bar} | {met} |"


def import_ms(statement: str) -> float:
    """Time one import in a process of its own, once Python has started, in ms."""
    code = [sys.executable, "-c", _TIMED.format(statement)]
    return 1000 * float(subprocess.run(code, capture_output=True, text=True, check=True).stdout)


def first_answer_s(folder: Path, engine: str) -> float:
    """Time from the start of the process of `bothends serve` to its first answer over gRPC, in seconds."""
    begun = time.perf_counter()
    with start_ours(folder, engine=engine) as server, Client(f"127.0.0.1:{server.port}") as client:
        client.encode(_SENTENCE.format(1))
        return time.perf_counter() - begun


def memory_mb(folder: Path, engine: str) -> tuple[float, float, float]:
    """Measure resident memory before any call, then resident and proportional memory after many, in MB."""
    with start_ours(folder, engine=engine) as server, Client(f"127.0.0.1:{server.port}") as client:
        idle = server.process.rss_bytes() / 1e6
        texts = [_SENTENCE.format(number) for number in range(max(_SIZES))]

        def call(number: int) -> None:
            client.encode(texts[: _SIZES[number % len(_SIZES)]])

        with ThreadPoolExecutor(_CALLERS) as callers:
            list(callers.map(call, range(_REQUESTS)))
        return idle, server.process.rss_bytes() / 1e6, _proportional_mb(server)


def _proportional_mb(server: Server) -> float:
    """Return the memory of the server, of what it shares with other processes its part."""
    pages = Path(f"/proc/{server.process.tree[0].pid}/smaps_rollup").read_text(encoding="ascii")
    found = re.search(r"^Pss: +(\d+) kB", pages, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def _median(measure: Callable[[], float], times: int) -> float:
    measure()  # the files' first reading, and their compiling
    return statistics.median(measure() for _ in range(times))


def measured(times: int) -> list[Figure]:
    """Measure everything, each the median of so many."""
    found = [Figure(f"`{each}`", _median(partial(import_ms, each), times), "ms") for each in _IMPORTS]
    found[0] = replace(found[0], bar=80)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for engine in (FLOAT32, INT8):
            seconds = _median(partial(first_answer_s, folder, engine), times)
            found.append(Figure(f"`bothends serve` to its first answer, {engine}", seconds, "s", 1.2))
        for engine in (FLOAT32, INT8):
            idle, worked, proportional = memory_mb(folder, engine)
            found += [
                Figure(f"resident memory before a call, {engine}", idle, "MB"),
                Figure(f"resident memory after {_REQUESTS} requests of 1 to {max(_SIZES)} sentences, {engine}", worked,
                       "MB", 140 if engine == INT8 else None),
                Figure(f"of which its own (PSS), {engine}", proportional, "MB"),
            ]  # fmt: skip
    return found


def table(figures: list[Figure]) -> str:
    """Return the figures as a table of Markdown."""
    about = machine.describe()
    rows = ["| | median | bar | |", "| :-- | --: | --: | :-- |", *(figure.cells() for figure in figures)]
    return "\n".join([*rows, "", f"{about['date']}, {about['processor']}, {about['cores']} cores."])


@click.command()
@click.option("--times", default=9, show_default=True, help="Runs of which each figure is the median.")
@click.option("--docs", is_flag=True, help="Write docs/performance.md.")
def main(times: int, docs: bool) -> None:
    """Measure imports, starts and memory."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # who installs a package has it compiled
    figures = measured(times)
    click.echo(table(figures))
    if docs:
        text = PAGE.read_text(encoding="utf-8")
        begin, end = _MARKERS
        before, after = text.partition(begin)[0], text.partition(end)[2]
        PAGE.write_text(f"{before}{begin}\n{table(figures)}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
