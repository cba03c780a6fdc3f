"""Blocks to NumPy's format, and the lines about rows that have no vector. Knows no run."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from .block import Block, Shape


def bad_line(row: int, reason: str) -> bytes:
    """A JSON line about a row that wasn't embedded. It holds nothing of the row."""
    return json.dumps({"row": row, "reason": reason}).encode() + b"\n"


class NpyWriter:
    """An array of a row for each of the input's: NaN where one wasn't embedded, or 0 where bytes can't say so."""

    sealed_suffix = ""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._filling = np.nan if shape.dtype.kind == "f" else 0

    def head(self) -> bytes:
        """A header that leaves room for any number of rows."""
        return self._header(0)

    def body(self, block: Block) -> Iterator[Any]:
        """Its rows."""
        yield np.ascontiguousarray(block.placed(self._filling, self._shape)).data

    def seal(self, partial: Path, sealed: Path, rows: int) -> None:  # noqa: ARG002  they are one
        """Say how many rows there are."""
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
