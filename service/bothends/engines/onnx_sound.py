"""Parses a bundle's model.onnx for any engine: the graph must be an allowed one, and all numbers finite.

A NaN in the table row of a rare word passes the golden sentences, which lack that word, and not every engine lets it
through to the result: onnxruntime's LSTM turns it into finite numbers.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BundleError
from ..model.bundle import MODEL, TOKENIZER, Bundle
from ..model.graph import TABLE, encoder_graph
from ..model.nodes import FLOAT, HALF
from ..model.tokenizer import Tokenizer
from ..text import printable
from .onnx_allowlist import parse_allowed

FLOATS: dict[int, np.dtype[Any]] = {FLOAT: np.dtype("<f4"), HALF: np.dtype("<f2")}
"""Types of floating point that a model may hold, by TensorProto.DataType."""
_EXPONENTS: dict[int, np.unsignedinteger[Any]] = {4: np.uint32(0x7F80_0000), 2: np.uint16(0x7C00)}
"""All bits of a float's exponent, by the bytes that it takes: NaN and the infinities have them, and no other number.

NumPy's isfinite takes ten times as long for float16.
"""
_AT_ONCE = 1 << 18
"""Numbers that are checked at once: temporary arrays of this size fit a cache, and take a mebibyte."""


def sound_graph(bundle: Bundle) -> Any:
    """Parse the bundle's model, and return its GraphProto with the fields that onnx_allowlist.py declares.

    Raises BundleError if `bothends export` couldn't have written it, or if a floating-point number isn't finite. The
    error names the number by tensor and index, or in the embedding table by row and token.
    """
    file = bundle.path / MODEL
    graph = parse_allowed(bundle.model, file).graph
    constants = encoder_graph(bundle.config).constants
    for tensor in graph.initializer:
        if tensor.data_type in FLOATS and not _is_constant(tensor, constants):
            numbers = _numbers(tensor)
            if (index := _first_not_finite(numbers)) is not None:
                raise BundleError(
                    f"{file} holds {numbers[index]} in {_described(index, tensor, len(numbers), bundle)}: no engine "
                    "serves it; export the bundle anew from weights that are all finite"
                )
    return graph


def _is_constant(tensor: Any, constants: Mapping[str, NDArray[Any]]) -> bool:
    """Return whether export writes `tensor` whatever the weights are: what a maximum is filled up with is infinite."""
    constant = constants.get(tensor.name.decode())
    return constant is not None and constant.tobytes() == tensor.raw_data


def _numbers(tensor: Any) -> NDArray[Any]:
    """Return the numbers of a tensor, flat, without an incomplete last one, for which every engine refuses the
    tensor.
    """
    content: bytes = tensor.raw_data
    dtype = FLOATS[tensor.data_type]
    return np.frombuffer(content, dtype, len(content) // dtype.itemsize)


def _first_not_finite(numbers: NDArray[Any]) -> int | None:
    """Return the index of the first NaN or infinity; None if there is none."""
    bits, exponent = numbers.view(f"<u{numbers.itemsize}"), _EXPONENTS[numbers.itemsize]
    for start in range(0, len(bits), _AT_ONCE):
        exponents = bits[start : start + _AT_ONCE] & exponent
        if exponents.max() == exponent:
            return start + int((exponents == exponent).argmax())
    return None


def _described(index: int, tensor: Any, count: int, bundle: Bundle) -> str:
    """Describe for a person the number at `index` of a tensor of `count` numbers."""
    name = tensor.name.decode()
    if name != TABLE or not tensor.dims or not 0 < tensor.dims[0] <= count:
        return f"{name}, number {index}"
    row = index // (count // tensor.dims[0])
    tokenizer = Tokenizer(bundle.tokenizer, max_tokens=bundle.config.max_tokens, source=bundle.path / TOKENIZER)
    token = tokenizer.token(row)
    return f"{name}, row {row}, " + ("which is no token's" if token is None else f"of the token {printable(token)!r}")
