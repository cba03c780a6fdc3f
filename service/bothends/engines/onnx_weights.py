"""Reads the weights out of a bundle's model.onnx, for engines other than onnxruntime.

The graph must be, node by node, the one that `bothends export` writes for a table and a stack of plain LSTMs, so that
computing from the weights gives what the graph says. Only the names of intermediate tensors may differ.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BundleError
from ..model.architecture import EncoderConfig
from ..model.bundle import MODEL, Bundle
from ..model.graph import INPUTS, OUTPUTS, TABLE, encoder_graph
from ..model.nodes import HALF, Node
from .onnx_sound import FLOATS, sound_graph

_ATTRIBUTES = {1: "f", 2: "i", 3: "s", 7: "ints"}
"""Fields that hold an attribute's value, by AttributeProto.AttributeType."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of a stack of LSTMs: the embedding table, and each layer's arrays in the layout of ONNX's LSTM.

    Read-only.
    """

    table: NDArray[np.float32] | NDArray[np.float16]
    """Embedding table, [vocabulary, embedding]."""
    layers: list[dict[str, NDArray[np.float32]]]
    """W [directions, 4·hidden, input], R [directions, 4·hidden, hidden], B [directions, 8·hidden]; gates i, o, f, c."""


def read(bundle: Bundle) -> Weights:
    """Read the weights of a bundle whose encoder is a table and plain bidirectional LSTMs with final-state pooling.

    Raises BundleError if model.onnx computes anything else, or fails `sound_graph`.
    """
    file, config = bundle.path / MODEL, bundle.config
    graph = sound_graph(bundle)
    held = {tensor.name.decode(): tensor for tensor in graph.initializer}
    is_half = TABLE in held and held[TABLE].data_type == HALF
    found, written = [*map(_node, graph.node)], encoder_graph(_plain(config), half_table=is_half).nodes
    given = {"", *INPUTS, *OUTPUTS, *held}
    if _unnamed(found, given) != _unnamed(written, given):
        raise BundleError(f"{file} isn't the graph that `bothends export` writes for {config.described()}")
    for node, expected in zip(found, written, strict=True):
        if node.operator == "LSTM" and node.attributes != expected.attributes:
            raise BundleError(f"{file}: {node.name} isn't bidirectional or has another hidden_size")
    try:
        layers = [{name: _array(held[f"{name}{layer}"]) for name in "WRB"} for layer in range(config.layers)]
        return Weights(_array(held[TABLE]), layers)
    except (KeyError, ValueError) as error:
        raise BundleError(f"{file}: its weights can't be read: {type(error).__name__}") from error


def _plain(config: EncoderConfig) -> EncoderConfig:
    """The encoder of these sizes that has nothing but a table and bidirectional LSTMs, read by their final states."""
    return EncoderConfig(
        vocabulary_size=config.vocabulary_size,
        embedding_size=config.embedding_size,
        hidden_size=config.hidden_size,
        layers=config.layers,
    )


def _unnamed(nodes: Iterable[Node], given: set[str]) -> list[Node]:
    """The same nodes with numbers, in order of appearance, in place of all names that aren't given.

    An LSTM's attributes are left out: they have a refusal of their own.
    """
    numbers: dict[str, str] = {}

    def numbered(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(name if name in given else numbers.setdefault(name, f"#{len(numbers)}") for name in names)

    return [
        Node(
            node.operator,
            numbered(node.inputs),
            numbered(node.outputs),
            {} if node.operator == "LSTM" else node.attributes,
        )
        for node in nodes
    ]


def _node(node: Any) -> Node:
    """A node of the file in the words of `bothends.model.nodes`."""
    return Node(
        node.op_type.decode(),
        tuple(name.decode() for name in node.input),
        tuple(name.decode() for name in node.output),
        {attribute.name.decode(): _value(attribute) for attribute in node.attribute},
        node.name.decode(),
    )


def _value(attribute: Any) -> Any:
    """Return an attribute's value; None for a type that no exported graph has."""
    field = _ATTRIBUTES.get(attribute.type)
    if field == "s":
        return attribute.s.decode()
    if field == "ints":
        return tuple(attribute.ints)
    return getattr(attribute, field) if field else None


def _array(tensor: Any) -> NDArray[Any]:
    """Numbers of a tensor, not copied. Raises KeyError or ValueError for another kind."""
    content: bytes = tensor.raw_data
    return np.frombuffer(content, dtype=FLOATS[tensor.data_type]).reshape(tuple(tensor.dims))
