"""The benchmark's load generator against a server: cheap enough to offer ten times what the server can do."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from benchmarks.load import build as generator

from tests.support.serving import Running


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


def build() -> None:
    """Compile it, or skip where that can't be."""
    try:
        generator.build()
    except click.ClickException as missing:
        pytest.skip(missing.message)


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
    port = running.target.rpartition(":")[2]
    command = [str(generator.GENERATOR), "--port", port, "--bodies", str(bodies), "--batch", str(shape.sentences)]
    command += ["--connections", str(shape.connections)]
    with subprocess.Popen(
        [*command, "--seconds", f"{seconds:g}", *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if line == "end\n":
                    when_over()
            output, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0
    found: dict[str, Any] = json.loads(output)
    return found
