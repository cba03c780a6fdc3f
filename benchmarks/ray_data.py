"""`bothends embed --engine ray` over some files beside the same command over one after another, in the same minutes.

tests/cluster/apart .venv/bin/python benchmarks/ray_data.py [--rows 200000] [--files 8] [--rounds 1] [--kill]

Outputs are compared byte by byte. Each round runs both, the one that begins changing from round to round; look at the
ratios on a machine that does other things too. `--kill` also kills a run half-way (SIGKILL, with Ray and all) and
gives it again. Ray listens on every interface, so this wants to be run in a network of its own, by tests/cluster/apart.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import psutil
import pyarrow.parquet as pq

from varied import varied

_EVERY_S = 0.25
_BOTHENDS = Path(sys.executable).parent / "bothends"
_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("BOTHENDS_")}
_ENVIRONMENT |= {"RAY_worker_niceness": "0"}
"""Ray's workers give way to all else by default (15); on a machine that does other things, that would be measured."""
_SAID = re.compile(r" in ([0-9,.]+) s")


@dataclass
class Cost:
    """Cost of embedding some files."""

    seconds: float
    """Seconds from the command's start to its end."""
    run_s: float
    """Seconds that the command reports: after Ray's start, or after the model was loaded."""
    cpu_s: float
    """CPU-seconds of the command and all that it started."""


def command(*flags: object, until: Callable[[], bool] = lambda: False) -> Cost:
    """Run the command; kill it, and all that it started, once `until` holds."""
    began, cpu_s, before = time.perf_counter(), dict[int, float](), {each.pid for each in psutil.process_iter()}
    given = [_BOTHENDS, "embed", "--device", "cpu", *map(str, flags)]
    with subprocess.Popen(given, stderr=subprocess.PIPE, text=True, env=_ENVIRONMENT) as process:
        while process.poll() is None:
            for each in psutil.process_iter():  # Ray's processes have other parents after a while
                if each.pid not in before:
                    try:
                        cpu_s[each.pid] = sum(each.cpu_times()[:2])
                    except psutil.NoSuchProcess:
                        continue
            if until():
                process.kill()
            time.sleep(_EVERY_S)
        said = process.stderr.read() if process.stderr and process.returncode != -9 else ""
    assert process.returncode in (0, -9), said
    found = _SAID.search(said)
    return Cost(time.perf_counter() - began, float(found[1].replace(",", "")) if found else 0.0, sum(cpu_s.values()))


def write(folder: Path, rows: int, files: int) -> None:
    """Write distinct sentences, spread evenly over the files; every thousandth is a bad one."""
    folder.mkdir()
    texts = list(islice(varied(), rows))
    texts[::1000] = [""] * len(texts[::1000])
    for number in range(files):
        part = texts[number * rows // files : (number + 1) * rows // files]
        (folder / f"{number:03}.txt").write_text("\n".join(part) + "\n", encoding="utf-8")


def one_after_another(source: Path, output: Path, kind: str) -> Cost:
    """Embed the files one after another, a process a file."""
    output.mkdir()
    costs = [command("--input", path, "--output", output / f"{path.stem}.{kind}") for path in sorted(source.iterdir())]
    return Cost(*(sum(getattr(cost, name) for cost in costs) for name in ("seconds", "run_s", "cpu_s")))


def by_ray(source: Path, output: Path, kind: str, **options: Callable[[], bool]) -> Cost:
    """Embed all files at once on Ray."""
    flags = ["--input", source, "--output", output, "--output-format", kind, "--engine", "ray"]
    return command(*flags, **options)


def committed(output: Path) -> int:
    """Count the rows of outputs that are whole or begun."""
    whole = [json.loads(path.read_text())["done"] for path in output.glob("_bothends/0*.json")]
    begun = [json.loads(path.read_text())["committed"] for path in output.glob("*.journal")]
    return sum(each["rows"] for each in [*whole, *begun] if each)


def check(here: Path, there: Path, rows: int, kind: str) -> None:
    """Check that both outputs are the same bytes, and hold each row once."""
    seen = 0
    for path in sorted(here.iterdir()):
        assert path.read_bytes() == (there / path.name).read_bytes(), path.name
        if path.suffix == ".parquet":
            bad = [json.loads(line)["row"] for line in Path(f"{path}.bad.jsonl").read_text().splitlines()]
            found = np.sort(np.concatenate([pq.read_table(path, columns=["row"])["row"].to_numpy(), bad]))
            assert (found == np.arange(len(found))).all(), path.name
            seen += len(found)
    assert kind != "parquet" or seen == rows, seen


def killed(folder: Path, rows: int, kind: str) -> None:
    """Kill a run half-way, then run it to its end."""
    output = folder / "killed"
    first = by_ray(folder / "in", output, kind, until=lambda: committed(output) >= rows // 2)
    done = committed(output)
    again = by_ray(folder / "in", output, kind)
    check(folder / "here", output, rows, kind)
    print(
        f"killed after {first.seconds:.1f} s and {done:,} of {rows:,} rows, went on for {again.run_s:.1f} s: the same "
        "bytes, no row lost, none twice"
    )


@click.command()
@click.option("--rows", default=200_000, show_default=True)
@click.option("--files", default=8, show_default=True)
@click.option("--rounds", default=1, show_default=True)
@click.option("--output", "kind", type=click.Choice(["npy", "parquet", "jsonl"]), default="parquet", show_default=True)
@click.option("--kill", is_flag=True, help="Also kill a run half-way, and let it go on.")
def main(rows: int, files: int, rounds: int, kind: str, *, kill: bool) -> None:
    """Measure, a round after another, and print the ratios' medians."""
    ratios: dict[str, list[float]] = {"with Ray's start": [], "without": [], "CPU time": []}
    for number in range(rounds):
        with TemporaryDirectory() as name:
            folder = Path(name)
            write(folder / "in", rows, files)
            ways = [("here", one_after_another), ("there", by_ray)]
            costs = {way: run(folder / "in", folder / way, kind) for way, run in ways[:: -1 if number % 2 else 1]}
            check(folder / "here", folder / "there", rows, kind)
            here, there = costs["here"], costs["there"]
            for title, one, other in (
                ("with Ray's start", here.seconds, there.seconds),
                ("without", here.seconds, there.run_s),
                ("CPU time", here.cpu_s, there.cpu_s),
            ):
                ratios[title].append(one / other)
            for title, cost in (("one after another", here), ("by Ray", there)):
                print(
                    f"{title:18} {cost.seconds:6.1f} s, {rows / cost.seconds:6,.0f} rows/s; of it "
                    f"{cost.run_s:6.1f} s by its own count; {cost.cpu_s:6.1f} CPU-s"
                )
            if kill and number == rounds - 1:
                killed(folder, rows, kind)
    print(
        "local / Ray, medians: " + ", ".join(f"{name} {statistics.median(each):.2f}" for name, each in ratios.items())
    )


if __name__ == "__main__":
    main()
