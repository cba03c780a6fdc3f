"""Rows of random numbers, of length 1."""

import numpy as np
from numpy.typing import NDArray


def unit(rows: int, dimension: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Make `rows` of them, float32 [rows, dimension]."""
    made = np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)
    unit: NDArray[np.float32] = made / np.linalg.norm(made, axis=1, keepdims=True)
    return unit
