"""The sentences a second that this machine's cores can feed to a GPU that takes no time, beside what they compute.

python benchmarks/gpu_host.py [--seconds 4], once `make gpu-standin` has built the stand-in for CUDA. It copies, but
computes nothing; the transport, the tokenizer, the queue and onnxruntime are the server's own.
"""

import os
import sys
import tempfile
from functools import partial
from pathlib import Path

import click

import generator
from bothends.cli.main import main as bothends
from bothends.core import loaded
from bothends.settings import Settings
from load.build import build
from loads import Load, unary, wide
from processes import Process
from results import IDLE, OURS
from sentences import load
from servers import BANNER, HERE, Server, ours_at

LOADS = (unary(8), unary(32), unary(128), wide(4), Load("512 sentences × 4", concurrency=4, batch=512))
DEVICES = {"cuda": IDLE, "cpu": f"{OURS} on this machine's cores"}
"""Names of the servers, by what `bothends serve --device` is told."""


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


def start(device: str, logs: Path) -> Server:
    """Start a server on `device`; a GPU has computed its golden sentences, and computes nothing from here on.

    Raises ClickException where the stand-in isn't built.
    """
    name, idle = DEVICES[device], logs / "idle"
    command = [sys.executable, __file__, "--serve", device, "--idle", str(idle)]
    variables = {"FAKE_NOMATH": str(idle)} | (_standin() if device == "cuda" else {})
    process = Process(name, command, ready=BANNER, log=logs / f"{name}.log", variables=variables)
    idle.touch()
    return ours_at(name, process, None)


def _standin() -> dict[str, str]:
    """Return the variables with which onnxruntime finds the stand-in for CUDA, in the folder that is built by make."""
    folder = Path(os.environ.get("GPU_STANDIN") or HERE.parent / ".venv" / "gpu")
    if not (folder / ".built").exists():
        raise click.ClickException("there is no stand-in for a GPU; `make gpu-standin` builds it")
    path = os.pathsep.join(filter(None, [str(folder / "site"), os.environ.get("PYTHONPATH")]))
    return {"LD_LIBRARY_PATH": str(folder / "lib"), "PYTHONPATH": path}


@click.command()
@click.option("--seconds", default=4.0, show_default=True, help="Measured time of each load.")
@click.option(
    "--load", "names", multiple=True, type=click.Choice([each.name for each in LOADS]), help="Only these loads."
)
@click.option("--serve", "device", type=click.Choice(list(DEVICES)), hidden=True)
@click.option("--idle", type=click.Path(path_type=Path), hidden=True)
def main(seconds: float, names: tuple[str, ...], device: str | None, idle: Path) -> None:
    """Print sentences/s of each load, by a GPU that takes no time and by this machine's cores."""
    if device:
        serve(device, idle)
        return
    build()
    loads = [each for each in LOADS if not names or each.name in names]
    with tempfile.TemporaryDirectory() as folder:
        bodies = generator.write_bodies(Path(folder, "sentences.txt"), load(None).texts)
        measure = partial(generator.measure, bodies=bodies, warmup_s=min(1, seconds), seconds=seconds)
        found = []
        for on in DEVICES:
            with start(on, Path(folder)) as server:
                found.append([measure(server, each).sentences_per_s for each in loads])
    print("| sentences × callers | a GPU that takes no time | this machine's cores |\n|---|---|---|")
    for each, fed, computed in zip(loads, *found, strict=True):
        print(f"| {each.name} | {fed:,.0f} | {computed:,.0f} |")


if __name__ == "__main__":
    main()
