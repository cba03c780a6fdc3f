"""A block, which is a window of rows with its vectors, and the interface of whatever writes blocks."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...embeddings import Embeddings
from ...options import Encoding
from ..rows import Row

_DTYPES: dict[Encoding, type[Any]] = {
    "float32": np.float32, "float16": np.float16, "int8": np.int8, "sign_bits": np.uint8,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """Shape of each vector that is written."""

    width: int
    dtype: "np.dtype[Any]"
    has_scales: bool

    @classmethod
    def of(cls, dimension: int, encoding: Encoding) -> "Shape":
        """Return the shape of `dimension` numbers in `encoding`: sign bits are eight a byte."""
        width = (dimension + 7) // 8 if encoding == "sign_bits" else dimension
        return cls(width, np.dtype(_DTYPES[encoding]), encoding == "int8")


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of the input, the vectors of those that have one, and the reasons of the others."""

    first: int
    """Number of the first row in the input."""
    rows: list[Row]
    good: list[int]
    """Places in `rows` of those that were embedded."""
    found: Embeddings | None
    """Embeddings of the good rows, in order; None where there are none."""
    problems: dict[int, str]
    """Reasons why the other rows have no vector, by place."""

    def placed(self, filling: float, shape: Shape) -> NDArray[Any]:
        """Return vectors for all rows, [rows, width], of `filling` where a row has none."""
        if self.found is not None and not self.problems:
            return self.found.rows
        placed = np.full((len(self.rows), shape.width), filling, dtype=shape.dtype)
        if self.found is not None:
            placed[self.good] = self.found.rows
        return placed


class Writer(Protocol):
    """Encoder of blocks to bytes of an output's format; the same block always becomes the same bytes."""

    sealed_suffix: str
    """Suffix that the name of the sealed file has after the partial one's; empty where they are one file."""

    def head(self) -> bytes:
        """Return the bytes before all blocks."""
        ...

    def body(self, block: Block) -> Iterable[Any]:
        """Yield the bytes of `block`, in pieces that a file can write."""
        ...

    def seal(self, partial: Path, sealed: Path, rows: int) -> None:
        """Turn `partial`, which holds all blocks of `rows` rows, into the whole file `sealed`; may be done again."""
        ...
