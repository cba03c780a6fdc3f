"""A bundle's model.onnx to the numbers in it: what an engine needs that isn't onnxruntime.

Follows the graph from node to node, so that what is computed here is what the file says. Knows no engine.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .admission import admit
from .bundle import MODEL, Bundle
from .errors import BundleError

_DTYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<f4"), 10: np.dtype("<f2")}
"""Of what an exported model holds beside integers, by TensorProto.DataType."""
_CELL_INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c")
"""Of ONNX's LSTM, in order; an empty name stands for one that isn't there."""
_WEIGHTS = ("W", "R", "B")


@dataclass(frozen=True, slots=True)
class Weights:
    """Of a stack of LSTMs: the table, and each layer's arrays as ONNX's LSTM node has them."""

    table: NDArray[np.float32] | NDArray[np.float16]
    """[vocabulary, embedding]."""
    layers: list[dict[str, NDArray[np.float32]]]
    """W [directions, 4·hidden, inputs], R [directions, 4·hidden, hidden], B [directions, 8·hidden]; gates i, o, f, c.

    These and the table are read-only.
    """


def read(bundle: Bundle) -> Weights:
    """The weights of a bundle whose encoder is a table and plain LSTMs.

    Raises BundleError where model.onnx holds another encoder, or isn't what `bothends export` writes.
    """
    file = bundle.path / MODEL
    graph = admit(bundle.model, file).graph
    held = {tensor.name: tensor for tensor in graph.initializer}
    lookups = [node for node in graph.node if node.op_type == b"Gather"]
    cells = [node for node in graph.node if node.op_type == b"LSTM"]
    if len(lookups) != 1 or len(cells) != bundle.config.layers:
        raise BundleError(f"{file} has {len(lookups)} tables and {len(cells)} LSTMs, unlike what config.json describes")
    try:
        return Weights(_array(held[lookups[0].input[0]]), [_layer(cell, held) for cell in cells])
    except (KeyError, ValueError) as error:
        raise BundleError(f"{file}: its weights can't be read: {type(error).__name__}") from error


def _layer(cell: Any, held: dict[bytes, Any]) -> dict[str, NDArray[np.float32]]:
    """Raises ValueError for a cell that starts from states of its own."""
    inputs = dict(zip(_CELL_INPUTS, cell.input, strict=False))
    if any(inputs.get(name) for name in ("initial_h", "initial_c")):
        raise ValueError("learned initial states")
    return {name: _array(held[inputs[name]]) for name in _WEIGHTS}


def _array(tensor: Any) -> NDArray[Any]:
    """Its numbers, not copied once more. Raises KeyError or ValueError for another kind."""
    content: bytes = tensor.raw_data
    return np.frombuffer(content, dtype=_DTYPES[tensor.data_type]).reshape(tuple(tensor.dims))
