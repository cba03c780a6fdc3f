"""The whole contract between what schedules and what computes. Neither knows the other."""

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


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """What one batch was, for whoever measures."""

    rows: int
    tokens: int
    """Real tokens; `padded_tokens` counts padding too, where the engine pads."""
    padded_tokens: int
    engine_s: float
    queue_s: list[float]
    """How long each of its sentences waited."""


Observe = Callable[[BatchRecord], None]

Fault = Literal["raised", "hung"]
"""What an engine did wrong: it failed on one sentence alone, or didn't return."""


class Engine(Protocol):
    """Computes embeddings. Safe to call from several threads at once."""

    @property
    def dimension(self) -> int:
        """How many numbers an embedding has."""
        ...

    @property
    def pads(self) -> bool:
        """Whether a batch costs as if each of its sentences were as long as the longest."""
        ...

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        """Rows, float32 [sentences, dimension], in the order given. No sentences give no rows.

        A row depends on its own sentence alone. Raises whatever went wrong; then no row of the batch is valid.
        """
        ...
