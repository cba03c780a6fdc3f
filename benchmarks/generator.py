"""Loads to rows of results: runs the load generator in load/ against a server, whose CPU and memory are measured."""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from load.build import GENERATOR
from loads import Load
from results import Row
from servers import Server


def write_bodies(file: Path, texts: Sequence[str]) -> Path:
    """Write sentences as the generator reads them, one a line."""
    file.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return file


def measure(server: Server, load: Load, bodies: Path, *, warmup_s: float, seconds: float) -> Row:
    """Run `load` and make a row of it. Raises ClickException where the server died or answers nonsense.

    The generator says when its measured time begins and ends; the server's CPU time is read at both, so that warm-up
    is left out and CPU and sentences are of the same seconds.
    """
    least = 4 * server.dimension * load.batch
    command = [str(GENERATOR), "--port", str(server.port), "--bodies", str(bodies), "--min-response-bytes", str(least)]
    command += [*server.flags, *load.flags(), "--warmup", f"{warmup_s:g}", "--seconds", f"{seconds:g}"]
    before = server.scrape()
    with tempfile.TemporaryFile("w+") as answer:
        generator = subprocess.Popen(command, stdout=answer, stderr=subprocess.PIPE, text=True)
        try:
            assert generator.stderr is not None
            cpu_s, said = [], []
            for line in generator.stderr:
                if line in ("begin\n", "end\n"):
                    cpu_s.append(server.process.cpu_s())
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
    return _row(server, load, found, cpu_s=cpu_s[1] - cpu_s[0], scraped=server.batches_since(before))


def _row(server: Server, load: Load, found: dict[str, Any], *, cpu_s: float, scraped: dict[str, float]) -> Row:
    seconds, latency = found["seconds"], found["latency_ms"]
    failed = found["requests"] - found["ok"] - found["refused"] - found["expired"] + found["short_answers"]
    open_loop = load.rate is not None
    if not open_loop and (failed or not found["ok"]):
        raise click.ClickException(f"{server.name}, {load.name}: {failed} wrong answers; statuses {found['statuses']}")
    return Row(
        server.name,
        load.name,
        sentences_per_s=found["sentences_per_s"],
        p50_ms=latency["p50"],
        p99_ms=latency["p99"],
        p999_ms=latency["p99.9"],
        cpu_s_per_1000=1000 * cpu_s / found["sentences"] if found["sentences"] else None,
        rss_mb=server.process.rss_bytes() / 1e6,
        load_cores=found["cpu_s"] / seconds,
        refused=found["refused"],
        expired=found["expired"],
        failed=failed,
        offered_per_s=load.rate,
        goodput_per_s=found["ok_within_deadline"] * load.batch / seconds if open_loop else None,
        refused_p99_ms=found["refused_latency_ms"]["p99"] if open_loop else None,
        **scraped,
    )
