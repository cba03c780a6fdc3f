"""The interface between the scheduler and an engine. Each side depends on this module, and not on the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

TokenIds = Sequence[int]
"""One sentence: at least one token id, each within the model's vocabulary."""


def precision_of(provider: str) -> str:
    """The precision of a provider: "int8" of "native/avx512/int8", float32 of onnxruntime's."""
    return provider.rpartition("/")[2] if "/" in provider else "float32"


def engine_of(provider: str) -> str:
    """The engine of a provider, as settings name it: "native/avx512" of "native/avx512/float32", else onnxruntime."""
    return provider.rpartition("/")[0] if "/" in provider else "onnxruntime"


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """Measurements of one batch."""

    rows: int
    tokens: int
    """Real tokens; `padded_tokens` counts padding too, where the engine pads."""
    padded_tokens: int
    engine_s: float
    queue_s: list[float]
    """Time that each of its sentences waited, in seconds."""


Observe = Callable[[BatchRecord], None]

Fault = Literal["raised", "hung"]
"""Fault of an engine: it raised on one sentence alone, or hung and didn't return."""


class Engine(Protocol):
    """Computer of embeddings. Safe to call from several threads at once."""

    @property
    def dimension(self) -> int:
        """Size of an embedding, in numbers."""
        ...

    @property
    def pads(self) -> bool:
        """True if a batch costs as if each of its sentences were as long as the longest."""
        ...

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        """Rows, float32 [sentences, dimension], in the order given. No sentences give no rows.

        A row depends on its own sentence alone. Raises whatever went wrong; then no row of the batch is valid.
        """
        ...
