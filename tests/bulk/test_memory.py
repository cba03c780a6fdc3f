"""What is held doesn't grow with the number of rows."""

import os
from pathlib import Path

import pytest

from bothends.bundle import Bundle

from . import files
from .conftest import lines, start, write_lines

_FEW, _MANY = 50_000, 200_000


def peak_mib(source: Path, made: Path, bundle: Path) -> float:
    """Of the whole run, as the kernel counted it."""
    with start("--input", source, "--output", made, "--bundle", bundle, "--device", "cpu", stderr=-1) as process:
        assert process.stderr is not None
        process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss / 1024


@pytest.mark.timeout(300)
@pytest.mark.parametrize("output", files.OUTPUTS)
def test_memory_is_flat(toy_bundle: Bundle, tmp_path: Path, output: str) -> None:
    """Four times the rows, the same peak: nothing of a row is left once it is written. (150,000 vectors are 19 MB.)"""
    few = peak_mib(write_lines(tmp_path / "few.txt", lines(_FEW)), tmp_path / f"few.{output}", toy_bundle.path)
    many = peak_mib(write_lines(tmp_path / "many.txt", lines(_MANY)), tmp_path / f"many.{output}", toy_bundle.path)
    assert many < few + 10
