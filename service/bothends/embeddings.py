"""What comes back for one request's sentences, on either side of the wire."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The embeddings of one request's sentences, in order."""

    rows: NDArray[np.float32]
    """float32 [sentences, dimension]: final forward state, then final backward state."""
    token_counts: list[int]
    """How many tokens of each sentence were read."""
    truncated: list[bool]
    """Which sentences were longer than the model reads."""
    model_version: str
    """Vectors of different versions must not be compared."""
