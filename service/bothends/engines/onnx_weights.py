"""A bundle's model.onnx to the numbers in it: what an engine needs that isn't onnxruntime.

Only of a graph that is, node by node, the one that `bothends export` writes for a table and a stack of plain LSTMs,
whatever it calls what passes between nodes: what is computed from the numbers is then what the file says. Knows no
engine.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BundleError
from ..model.architecture import EncoderConfig
from ..model.bundle import MODEL, Bundle
from .onnx_allowlist import admit

_DTYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<f4"), 10: np.dtype("<f2")}
"""Of a table and weights, by TensorProto.DataType."""
_HALF = 10
_TABLE = "embedding.weight"
_ENDS = {"", "token_ids", "lengths", "embedding", "h_n"}
"""Of the graph; an empty name stands for an input or output that isn't there."""
_Node = tuple[str, list[str], list[str]]
"""An operator, its inputs and its outputs."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Of a stack of LSTMs: the table, and each layer's arrays as ONNX's LSTM node has them. All are read-only."""

    table: NDArray[np.float32] | NDArray[np.float16]
    """[vocabulary, embedding]."""
    layers: list[dict[str, NDArray[np.float32]]]
    """W [directions, 4·hidden, input], R [directions, 4·hidden, hidden], B [directions, 8·hidden]; gates i, o, f, c."""


def read(bundle: Bundle) -> Weights:
    """The weights of a bundle whose encoder is a table and plain bidirectional LSTMs, read by their final states.

    Raises BundleError where model.onnx computes anything else, or isn't what `bothends export` writes.
    """
    file, config = bundle.path / MODEL, bundle.config
    graph = admit(bundle.model, file).graph
    held = {tensor.name.decode(): tensor for tensor in graph.initializer}
    is_half = _TABLE in held and held[_TABLE].data_type == _HALF
    given = _ENDS | held.keys()
    if _unnamed(map(_signature, graph.node), given) != _unnamed(_written(config, is_half=is_half), given):
        raise BundleError(f"{file} isn't the graph that `bothends export` writes for {config.described()}")
    for node in graph.node:
        if node.op_type == b"LSTM" and _attributes(node) != {
            "direction": b"bidirectional",
            "hidden_size": config.hidden_size,
        }:
            raise BundleError(f"{file}: {node.name.decode()} isn't bidirectional or has another hidden_size")
    try:
        layers = [{name: _array(held[f"{name}{layer}"]) for name in "WRB"} for layer in range(config.layers)]
        return Weights(_array(held[_TABLE]), layers)
    except (KeyError, ValueError) as error:
        raise BundleError(f"{file}: its weights can't be read: {type(error).__name__}") from error


def _written(config: EncoderConfig, *, is_half: bool) -> Iterator[_Node]:
    """What export/bothends_export/graph writes; `is_half` says that the table is float16."""
    below = "vectors"
    yield "Transpose", ["token_ids"], ["token_ids_by_time"]
    yield "Gather", [_TABLE, "token_ids_by_time"], ["stored_vectors" if is_half else below]
    if is_half:
        yield "Cast", ["stored_vectors"], [below]
    top = config.layers - 1
    for layer in range(config.layers):
        steps = "" if layer == top else f"Y{layer}"
        yield "LSTM", [below, *(f"{name}{layer}" for name in "WRB"), "lengths"], [steps, f"Y_h{layer}"]
        if layer < top:
            below = f"states{layer}"
            yield "Transpose", [steps], [f"{steps}_by_batch"]
            yield "Reshape", [f"{steps}_by_batch", "join_last_two"], [below]
    yield "Concat", [f"Y_h{layer}" for layer in range(config.layers)], ["h_n"]
    yield "Transpose", [f"Y_h{top}"], [f"Y_h{top}_by_batch"]
    yield "Reshape", [f"Y_h{top}_by_batch", "join_both_ends"], ["embedding"]


def _unnamed(nodes: Iterable[_Node], given: set[str]) -> list[_Node]:
    """The same with numbers in place of all names that aren't given, in order of appearance."""
    numbers: dict[str, str] = {}

    def of(names: list[str]) -> list[str]:
        return [name if name in given else numbers.setdefault(name, f"#{len(numbers)}") for name in names]

    return [(operator, of(inputs), of(outputs)) for operator, inputs, outputs in nodes]


def _signature(node: Any) -> _Node:
    return node.op_type.decode(), [name.decode() for name in node.input], [name.decode() for name in node.output]


def _attributes(cell: Any) -> dict[str, bytes | int]:
    return {of.name.decode(): of.s if of.HasField("s") else of.i for of in cell.attribute}


def _array(tensor: Any) -> NDArray[Any]:
    """Its numbers, not copied once more. Raises KeyError or ValueError for another kind."""
    content: bytes = tensor.raw_data
    return np.frombuffer(content, dtype=_DTYPES[tensor.data_type]).reshape(tuple(tensor.dims))
