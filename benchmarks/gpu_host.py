"""A server on a GPU that takes no time: how many sentences a second it answers is what its host can feed to one.

The GPU is the stand-in for CUDA that `make gpu-standin` builds. It copies, but computes nothing; the transport, the
tokenizer, the queue and onnxruntime are the server's own.
"""

import os
import sys
from functools import partial
from pathlib import Path

import click

from bothends.cli.main import main as bothends
from bothends.core import loaded
from bothends.settings import Settings
from processes import Process
from results import IDLE
from servers import BANNER, HERE, Server, ours_at


def serve(idle: Path) -> None:
    """Serve without later self-tests, whose golden sentences a GPU that computes nothing would fail."""
    warm_up = loaded.warm_up

    def quickly(*engine: object, **sizes: int) -> None:
        idle.touch()
        warm_up(*engine, **sizes)  # type: ignore[arg-type]
        idle.unlink()

    Settings.load = partial(Settings.load, selftest_s=0)  # type: ignore[method-assign]
    loaded.warm_up = quickly  # type: ignore[assignment, attr-defined]
    bothends(["serve", "--device", "cuda", "--port", "0", "--http-port", "0"])


def start(logs: Path) -> Server:
    """Start a server whose GPU has computed its golden sentences, and computes nothing from here on.

    Raises ClickException where the stand-in isn't built.
    """
    idle = logs / "idle"
    variables = {"FAKE_NOMATH": str(idle)} | _standin()
    command = [sys.executable, __file__, str(idle)]
    process = Process(IDLE, command, ready=BANNER, log=logs / f"{IDLE}.log", variables=variables)
    idle.touch()
    return ours_at(IDLE, process, None)


def _standin() -> dict[str, str]:
    """Return the variables with which onnxruntime finds the stand-in for CUDA, in the folder that is built by make."""
    folder = Path(os.environ.get("GPU_STANDIN") or HERE.parent / ".venv" / "gpu")
    if not (folder / ".built").exists():
        raise click.ClickException("there is no stand-in for a GPU; `make gpu-standin` builds it")
    path = os.pathsep.join(filter(None, [str(folder / "site"), os.environ.get("PYTHONPATH")]))
    return {"LD_LIBRARY_PATH": str(folder / "lib"), "PYTHONPATH": path}


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
