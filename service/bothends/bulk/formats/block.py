"""Block, which is a window of rows with its vectors, and the interface of the writers of blocks."""

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
    """Shape and type of each vector that is written."""

    width: int
    dtype: "np.dtype[Any]"
    has_scales: bool

    @classmethod
    def of(cls, dimension: int, encoding: Encoding) -> "Shape":
        """Return the shape of `dimension` components in `encoding`; sign bits are packed eight to a byte."""
        width = (dimension + 7) // 8 if encoding == "sign_bits" else dimension
        return cls(width, np.dtype(_DTYPES[encoding]), encoding == "int8")


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of the input, the vectors of those that have one, and the reasons why the others have none."""

    first: int
    """Number of the first row in the input."""
    rows: list[Row]
    good: list[int]
    """Places in `rows` of those that were embedded."""
    found: Embeddings | None
    """Embeddings of the good rows, in order; None if there are none."""
    problems: dict[int, str]
    """Reasons why the other rows have no vector, by place."""

    def placed(self, filling: float, shape: Shape) -> NDArray[Any]:
        """Return vectors for all rows, [rows, width], with `filling` for rows without a vector."""
        if self.found is not None and not self.problems:
            return self.found.rows
        placed = np.full((len(self.rows), shape.width), filling, dtype=shape.dtype)
        if self.found is not None:
            placed[self.good] = self.found.rows
        return placed


class Writer(Protocol):
    """Writer that encodes blocks in an output format; the same block always gives the same bytes."""

    sealed_suffix: str
    """Suffix that the sealed file's name has after the partial one's; empty if they are the same file."""

    def head(self) -> bytes:
        """Return the bytes that come before all blocks."""
        ...

    def body(self, block: Block) -> Iterable[Any]:
        """Yield the bytes of `block`, in pieces that can be written to a file."""
        ...

    def seal(self, partial: Path, sealed: Path, rows: int) -> None:
        """Turn `partial`, which holds all blocks of `rows` rows, into the finished file `sealed`. May be repeated."""
        ...
