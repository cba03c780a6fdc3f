"""The sentences a second that this machine's cores can feed to a GPU that takes no time, beside what they compute.

python benchmarks/gpu_host.py [--seconds 4], in the environment of `make gpu-standin`. The stand-in
for CUDA copies, but computes nothing; the transport, the tokenizer, the queue and onnxruntime are the server's own.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from bothends.cli.main import main as bothends
from bothends.core import loaded
from bothends.settings import Settings
from load.build import GENERATOR, build
from sentences import load

LOADS = ((8, 1), (32, 1), (128, 1), (4, 32), (4, 512))
"""Callers and sentences a request."""
DEVICES = ("cuda", "cpu")


def serve(device: str, idle: Path) -> None:
    """Serve without later self-tests, whose golden sentences a GPU that computes nothing would fail."""
    warm_up = loaded.warm_up

    def quickly(*engine: object, **sizes: int) -> None:
        idle.touch()
        warm_up(*engine, **sizes)  # type: ignore[arg-type]
        idle.unlink()

    Settings.load = partial(Settings.load, selftest_s=0)  # type: ignore[method-assign]
    loaded.warm_up = quickly  # type: ignore[assignment, attr-defined]
    bothends(["serve", "--device", device, "--port", "0", "--http-port", "0"])


@contextmanager
def served(device: str, folder: Path) -> Iterator[str]:
    """Port of a server on `device`; a GPU has computed its golden sentences, and computes nothing from here on."""
    idle = folder / "idle"
    command = [sys.executable, __file__, "--serve", device, "--idle", idle]
    with subprocess.Popen(
        command, env=os.environ | {"FAKE_NOMATH": str(idle)}, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        port = next(found[1] for line in server.stdout if (found := re.search(r"gRPC +\S+:(\d+)", line)))
        idle.touch()
        try:
            yield port
        finally:
            server.terminate()


def rate(port: str, bodies: Path, callers: int, size: int, seconds: float) -> float:
    """Sentences a second that `callers`, each with `size` sentences a request, are answered."""
    flags = ["--port", port, "--bodies", bodies, "--concurrency", str(callers), "--batch", str(size)]
    measured = ["--warmup", str(min(1, seconds)), "--seconds", str(seconds)]
    answer = subprocess.run(
        [GENERATOR, *flags, *measured], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    return float(json.loads(answer.stdout)["sentences_per_s"])


@click.command()
@click.option("--seconds", default=4.0, show_default=True, help="Measured time of each load.")
@click.option("--serve", "device", type=click.Choice(DEVICES), hidden=True)
@click.option("--idle", type=click.Path(path_type=Path), hidden=True)
def main(seconds: float, device: str | None, idle: Path) -> None:
    """Print sentences/s of each load, by a GPU that takes no time and by this machine's cores."""
    if device:
        serve(device, idle)
        return
    build()
    with tempfile.TemporaryDirectory() as folder:
        bodies = Path(folder, "sentences.txt")
        bodies.write_text("\n".join(load(None).texts) + "\n", encoding="utf-8")
        found = {}
        for on in DEVICES:
            with served(on, Path(folder)) as port:
                found[on] = [rate(port, bodies, callers, size, seconds) for callers, size in LOADS]
    print("| callers × sentences | a GPU that takes no time | this machine's cores |\n|---|---|---|")
    for (callers, size), fed, computed in zip(LOADS, *found.values(), strict=True):
        print(f"| {callers} × {size} | {fed:,.0f} | {computed:,.0f} |")


if __name__ == "__main__":
    main()
