"""The table that people see fits their terminal."""

from pathlib import Path

from rich.cells import cell_len

from .examining import call
from .modules import Unpacked, to_onnx


def test_the_table_fits_100_columns(tmp_path: Path) -> None:
    to_onnx(Unpacked("last_step", head=True, layers=2), tmp_path / "encoder.onnx", free="")
    lines = call(tmp_path / "encoder.onnx").stdout.splitlines()
    assert max(map(cell_len, lines)) <= 100
