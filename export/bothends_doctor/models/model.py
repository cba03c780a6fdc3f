"""Interface of an opened encoder of any format: runs a batch, and shows what was computed on the way."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..mistakes.recurrence import Array, Stack

Tokens = NDArray[Any]
"""Ids int64 [batch, time] or vectors float32 [batch, time, features]."""


@dataclass(frozen=True, slots=True)
class Port:
    """Input or output as the file declares it."""

    name: str
    dtype: str
    shape: tuple[int | str | None, ...] | None
    """Sizes or names of the axes, None for an unknown one; None if the file declares no shape."""
    role: str = ""
    """Role of an input: tokens, lengths, mask or state."""

    def __str__(self) -> str:
        shape = "" if self.shape is None else str(["?" if axis is None else axis for axis in self.shape])
        return f"{self.name} {self.dtype}{shape.replace(chr(39), '')}"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Information that the file gives about itself."""

    path: str
    format: str
    producer: str
    opset: int | None
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Sentences, padded to one length. The batch axis is first, whatever the file's own order is."""

    tokens: Tokens
    lengths: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def time(self) -> int:
        """Number of steps, including padding."""
        return int(self.tokens.shape[1])

    def rows(self, chosen: Any) -> "Batch":
        """Return some of the sentences."""
        return Batch(self.tokens[chosen], self.lengths[chosen])

    def alone(self, row: int) -> "Batch":
        """Return one of the sentences, without padding."""
        length = self.lengths[row]
        return Batch(self.tokens[row : row + 1, :length], self.lengths[row : row + 1])

    def padded_by(self, other: Tokens) -> "Batch":
        """Return the same sentences with the padding taken from `other`, which has the same shape or is one id."""
        outside = np.arange(self.time)[None, :] >= self.lengths[:, None]
        outside = outside.reshape(outside.shape + (1,) * (self.tokens.ndim - 2))
        return replace(self, tokens=np.where(outside, other, self.tokens).astype(self.tokens.dtype))


@dataclass(frozen=True, slots=True)
class Activation:
    """Rows that the file computed at one tensor through which all its use of the states passes."""

    where: str
    rows: Array
    """[batch, k]"""
    sources: frozenset[str] = frozenset()
    """Outputs of the cells that it is made of: Y, Y_h, Y_c; empty if unknown."""


@dataclass(frozen=True, slots=True)
class Head:
    """Function between pooling and output."""

    what: str
    apply: Callable[[Array], Array]
    """[batch, k] to [batch, m]"""
    width: int | None = None
    """Number k that it takes; None for any."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Order of axes and fixed sizes of the tokens that the file takes."""

    batch_axis: int
    batch: int | None
    """Batch size that it declares or takes; None for any."""
    time: int | None


@dataclass(frozen=True, slots=True)
class Inspection:
    """Weights of the file, and how it uses them, as a run has shown."""

    stack: Stack
    """Recurrent layers as the file computes them, its own mistakes included."""
    packed: tuple[bool, ...] | None
    """True for each layer that stops at a sentence's end; None if unknown."""
    swaps_axes: bool = False
    """True if the cells take the batch for the time."""
    initial_differs: bool = False
    """True if the initial states differ from row to row of the batch."""


class Model(Protocol):
    """Opened encoder file, of any format, that is examined."""

    about: ModelInfo
    output: Port
    """The output that is examined."""
    shapes: Stack
    """Recurrent layers, of which only the sizes are reliable before the model has run."""
    vocabulary: int | None
    """Number of ids; None if the model reads vectors."""
    features: int
    """Size of a vector, if the model reads vectors."""
    heads: tuple[Head, ...]
    """Guesses at what follows the pooling, if that can't be seen."""

    @property
    def declared(self) -> tuple[int | None, int | None]:
        """Sizes of the first two axes of its tokens, where they are fixed."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """Integer constants in the file, any of which may be a batch size or time that an export has frozen."""

    def alternative(self) -> "Model | None":
        """Same file with another guess of what it reads, for when it can't be run with this one; None if there is
        none.
        """

    def run(self, batch: Batch, *, batch_axis: int) -> list[Activation]:
        """Run a batch, whose axis in the file's own order is `batch_axis`, 0 or 1; the output is the last of the
        returned activations. Raises RunFailedError.
        """

    def inspect(self, batch: Batch, *, batch_axis: int) -> Inspection:
        """Find the weights and their use by running `batch`. Raises DoctorError if PyTorch has no such cells."""

    def look_up(self, ids: Tokens) -> Array | None:
        """Return rows of the embedding table; None if no table is visible."""

    def vectors(self, batch: Batch, *, batch_axis: int) -> Array:
        """Return the vectors that the recurrent layers read, float32 [batch, time, features]."""
