"""How near the native engine is to float32 in the precisions below it, by an encoder's depth and width.

Measured by tests/native/engine of encoders with PyTorch's own initialisation, from 32 to 512 units and one to eight
layers. A number's difference hardly grows with either. But the states of such a layer are smaller than of the one below
it, and the wider it is the smaller (0.07 in the mean at 1 × 512, 0.02 at 3 × 512), so that the same difference turns a
vector further: at 3 × 320 the cosine falls to 0.9991, at 8 × 320 to 0.9985. Trained states are larger, and nearer.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ..model.architecture import EncoderConfig
from ..options import Precision

_DIFFERENCES: dict[Precision, float] = {"float32": 0.0, "bf16": 5e-3, "int8": 3e-2}
"""Tolerated difference of a golden sentence's number from PyTorch's, at least: three times what was measured of random
encoders, of which GRUs in int8 differ most, by 0.0095. A wrong gate, half or order is off by 0.1 and more; so may text
be that repeats itself."""
_FROM_COSINE_1: dict[Precision, float] = {"float32": 0.0, "bf16": 1e-4, "int8": 5e-4}
"""Largest distance of the cosine from 1 for any text that doesn't repeat itself, of encoders of one layer."""
_BY_UNIT: dict[Precision, tuple[float, float]] = {"float32": (0.0, 0.0), "bf16": (0.0, 0.0), "int8": (2e-6, 8e-6)}
"""The same for each unit of the widest layer, where that is more: of two layers, and of three or more."""
_LARGEST_NORMED = 4.0
"""Number of a layer norm's output that few exceed, in standard deviations."""


def cosines(rows: NDArray[np.float32], expected: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the cosine of each row to the expected one, [rows, dimension]; 0 where either has no direction."""
    rows64, expected64 = rows.astype(np.float64), expected.astype(np.float64)
    lengths = np.linalg.norm(rows64, axis=1) * np.linalg.norm(expected64, axis=1)
    found: NDArray[np.float64] = np.divide(
        (rows64 * expected64).sum(axis=1), lengths, out=np.zeros(len(rows)), where=lengths > 0
    )
    return found


def promised_cosine(config: EncoderConfig, precision: Precision) -> float:
    """Return the least cosine to float32's embedding for any text that doesn't repeat itself."""
    return 1 - _from_1(config, precision)


def tolerance(config: EncoderConfig, precision: Precision) -> float:
    """Return the tolerated difference of a golden sentence's number from PyTorch's; 0 for float32: the bundle's own.

    A layer norm makes small states large, and their differences with them.
    """
    if config.head is None or config.head.then != "layer_norm":
        return _DIFFERENCES[precision]
    return max(_DIFFERENCES[precision], _LARGEST_NORMED * math.sqrt(2 * _from_1(config, precision)))


def _from_1(config: EncoderConfig, precision: Precision) -> float:
    by_unit = (0.0, *_BY_UNIT[precision])[min(config.layers, 3) - 1]
    return max(_FROM_COSINE_1[precision], by_unit * max(config.widths))
