"""Formats in which JSON holds an embedding, numbers or base64 of fewer bytes, and what a header says of it."""

import base64
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...options import Encoding, encoded
from ..context import CallContext

Format: TypeAlias = Literal["float", "base64", "float16", "int8", "sign_bits"]
"""Numbers, or base64 of their bytes: as float32 ("base64"), or in another encoding of ours."""
ABOUT = (
    "Numbers, or base64 of their float32 bytes, little-endian; float unless said. Ours are float16, int8 and "
    "sign_bits: base64 of a vector in that encoding."
)
_ENCODINGS: Mapping[Format, Encoding] = {
    "base64": "float32",
    "float16": "float16",
    "int8": "int8",
    "sign_bits": "sign_bits",
}
_TRUNCATED_INPUTS = "x-truncated-inputs"


def in_base64(rows: NDArray[np.float32], written_as: Format) -> tuple[list[str], NDArray[np.float32] | None]:
    """Return each row of `rows`, float32 [sentences, dimension], as base64, and the scales of int8 rows, float32
    [sentences]; None for others. `written_as` is any format but numbers.
    """
    numbers, scales = encoded(rows, _ENCODINGS[written_as])
    little = np.ascontiguousarray(numbers, numbers.dtype.newbyteorder("<"))
    return [base64.b64encode(row).decode() for row in little], scales


def tell_truncated(context: CallContext, truncated: Iterable[bool]) -> None:
    """Say in a header of the answer how many of its inputs were cut, if any was."""
    if cut := sum(truncated):
        context.add_header(_TRUNCATED_INPUTS, str(cut))
