"""A window and what became of it: the contract between the run and what writes."""

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
    """Of each vector that is written."""

    width: int
    dtype: "np.dtype[Any]"
    has_scales: bool

    @classmethod
    def of(cls, dimension: int, encoding: Encoding) -> "Shape":
        """What `dimension` numbers are in `encoding`: sign bits are eight a byte."""
        width = (dimension + 7) // 8 if encoding == "sign_bits" else dimension
        return cls(width, np.dtype(_DTYPES[encoding]), encoding == "int8")


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of the input, the vectors of those that have one, and why the others have none."""

    first: int
    """The first row's number in the input."""
    rows: list[Row]
    good: list[int]
    """Places in `rows` of those that were embedded."""
    found: Embeddings | None
    """Of the good ones, in order; None where there are none."""
    problems: dict[int, str]
    """Of the others, by place."""

    def placed(self, filling: float, shape: Shape) -> NDArray[Any]:
        """Vectors of all rows, [rows, width]; `filling` where there is none."""
        if self.found is not None and not self.problems:
            return self.found.rows
        placed = np.full((len(self.rows), shape.width), filling, dtype=shape.dtype)
        if self.found is not None:
            placed[self.good] = self.found.rows
        return placed


class Writer(Protocol):
    """A block to bytes of an output's format; the same block always to the same ones."""

    sealed_suffix: str
    """What the name of the whole file has after the other's; empty where they are one."""

    def head(self) -> bytes:
        """What stands before all blocks."""
        ...

    def body(self, block: Block) -> Iterable[Any]:
        """What stands for `block`, in pieces that a file can write."""
        ...

    def seal(self, partial: Path, sealed: Path, rows: int) -> None:
        """Make of `partial`, which holds all blocks of `rows` rows, the whole file `sealed`; may be done again."""
        ...
