"""Programs on a stand-in for CUDA, which plays a GPU on host memory: `make gpu-standin` builds it.

onnxruntime-gpu's own CUDA provider runs there, unmodified. It is in a folder of its own, for child processes alone.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .paths import ROOT
from .until import TIMEOUT_S

FOLDER = Path(os.environ.get("GPU_STANDIN") or ROOT / ".venv" / "gpu")
"""Folder that the stand-in was built in."""
IS_BUILT = (FOLDER / "lib" / "libcuda.so.1").exists()
STANDIN = [
    pytest.mark.standin,
    pytest.mark.skipif(not IS_BUILT, reason="there is no stand-in for CUDA (make gpu-standin)"),
]
"""Marks of a module whose tests need it."""
SMALL = ("--device", "cuda", "--max-batch-tokens", "256")
"""Flags of a server that is soon warm there."""


def environment(**switches: str | Path) -> dict[str, str]:
    """Environment of a child process on the stand-in, with switches that benchmarks/gpu/standin/*.cpp tell of."""
    path = os.pathsep.join(filter(None, [str(FOLDER / "site"), os.environ.get("PYTHONPATH")]))
    of_standin = {"LD_LIBRARY_PATH": str(FOLDER / "lib"), "PYTHONPATH": path}
    return os.environ | of_standin | {name: str(value) for name, value in switches.items()}


def run(program: str, *arguments: object, timeout_s: float = TIMEOUT_S, **switches: str | Path) -> str:
    """Run a Python program there, and return what it printed. Fails the test where it fails."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=environment(**switches),
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
