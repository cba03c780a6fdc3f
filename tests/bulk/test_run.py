"""Memory of a run doesn't grow with the number of rows."""

import subprocess
import sys
from pathlib import Path

import pytest

from bothends.model.bundle import Bundle
from tests.bulk.conftest import environment, lines, write_lines
from tests.support.serving import BOTHENDS

_FEW, _MANY = 50_000, 200_000


_LAUNCH = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""Program that starts the command: the kernel would count memory of a larger one that starts it as the command's."""


def peak_mib(source: Path, made: Path, bundle: Path) -> float:
    """Return the peak memory of the whole run, as the kernel counted it."""
    flags: list[str | Path] = ["--input", source, "--output", made, "--bundle", bundle, "--device", "cpu"]
    command = [sys.executable, "-c", _LAUNCH, BOTHENDS, "embed", *flags]
    return int(subprocess.run(command, capture_output=True, check=True, env=environment()).stdout) / 1024


@pytest.mark.slow
def test_memory_is_flat(toy_bundle: Bundle, tmp_path: Path) -> None:
    """Four times the rows, the same peak: nothing of a row is left once it is written. (150,000 vectors are 19 MB.)"""
    few = peak_mib(write_lines(tmp_path / "few.txt", lines(_FEW)), tmp_path / "few.npy", toy_bundle.path)
    many = peak_mib(write_lines(tmp_path / "many.txt", lines(_MANY)), tmp_path / "many.npy", toy_bundle.path)
    assert few < 300, "another process was measured"
    assert many < few + 10
