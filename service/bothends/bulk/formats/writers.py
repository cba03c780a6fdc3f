"""Writes blocks in NumPy's format, and the side file about rows without a vector."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from .block import Block, Shape


def bad_line(row: int, reason: str) -> bytes:
    """Return a JSON line about a row that wasn't embedded, without any of its text."""
    return json.dumps({"row": row, "reason": reason}).encode() + b"\n"


class NpyWriter:
    """Writer of a NumPy array with one row for each input row. Rows without a vector are NaN, or 0 in integer types."""

    sealed_suffix = ""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._filling = np.nan if shape.dtype.kind == "f" else 0

    def head(self) -> bytes:
        """Return a NumPy header with room for any number of rows."""
        return self._header(0)

    def body(self, block: Block) -> Iterator[Any]:
        """Yield the rows of `block`."""
        yield np.ascontiguousarray(block.placed(self._filling, self._shape)).data

    def seal(self, partial: Path, sealed: Path, rows: int) -> None:  # noqa: ARG002  they are one
        """Write the final number of rows into the header."""
        with partial.open("r+b") as file:
            file.write(self._header(rows))

    def _header(self, rows: int) -> bytes:
        written = io.BytesIO()
        shape = {
            "descr": npy.dtype_to_descr(self._shape.dtype),
            "fortran_order": False,
            "shape": (rows, self._shape.width),
        }
        npy.write_array_header_1_0(written, shape)
        return written.getvalue()
