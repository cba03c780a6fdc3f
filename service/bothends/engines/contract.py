"""Interface between the scheduler and an engine. Each of them depends on this module, and not on the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

TokenIds = Sequence[int]
"""One sentence: at least one token id, each within the model's vocabulary."""


def precision_of(provider: str) -> str:
    """Return the precision of a provider: "int8" for "native/avx512/int8", and "float32" for onnxruntime's."""
    return provider.rpartition("/")[2] if "/" in provider else "float32"


def engine_of(provider: str) -> str:
    """Return the engine of a provider, as settings name it: "native/avx512" for "native/avx512/float32", else
    "onnxruntime".
    """
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
    """Engine that computes embeddings. Safe to call from several threads at once."""

    @property
    def dimension(self) -> int:
        """Size of an embedding, in numbers."""
        ...

    @property
    def pads(self) -> bool:
        """True if a batch costs as if all its sentences were as long as the longest."""
        ...

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        """Return rows, float32 [sentences, dimension], in the order given. No sentences give no rows.

        A row depends on its own sentence alone. Raises whatever went wrong; then no row of the batch is valid.
        """
        ...
