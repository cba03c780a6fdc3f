"""Reads the weights out of a bundle's model.onnx, for engines other than onnxruntime.

The graph must be, node by node, the one that `bothends export` writes for the encoder of config.json, with the same
constants, so that computing from the weights gives what the graph says. Only the names of intermediate tensors may
differ.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BundleError
from ..model.architecture import EncoderConfig
from ..model.bundle import MODEL, Bundle
from ..model.graph import INPUTS, OUTPUTS, TABLE, encoder_graph, layer_tensors
from ..model.nodes import HALF, Node
from ..text import printable
from .onnx_sound import FLOATS, sound_graph

_ATTRIBUTES = {1: "f", 2: "i", 3: "s", 7: "ints"}
"""Fields that hold an attribute's value, by AttributeProto.AttributeType."""
_CELLS = ("LSTM", "GRU")

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of an encoder in the layouts of ONNX. Read-only."""

    table: NDArray[np.float32] | NDArray[np.float16]
    """Embedding table, [vocabulary, embedding]."""
    layers: list[dict[str, NDArray[np.float32]]]
    """Tensors of each layer by their names in the graph, without the number: "W", "R", perhaps "B", "P" and others."""
    input_projection: dict[str, NDArray[np.float32]] | None = None
    """`weight` [embedding, input] and `bias` of the linear layer before the cells, if there is one."""
    attention: dict[str, NDArray[np.float32]] | None = None
    """`hidden` [directions·state, size] with `bias`, and `scores` [size, hops], if the encoder pools by attention."""
    head: dict[str, Any] | None = None
    """`weight` [pooled, dimension] and `bias`, `then`, and of a layer norm `norm_weight`, `norm_bias` and `epsilon`."""

    @classmethod
    def named_as_in_graph(cls, arrays: Arrays, config: EncoderConfig) -> "Weights":
        """Return the weights of an encoder from its arrays by their names in the graph. Raises KeyError without one."""
        head: dict[str, Any] | None = None
        if config.head:
            head = {**_linear(arrays, "head.linear"), "then": config.head.then}
            if config.head.then == "layer_norm":
                norm = {f"norm_{kind}": arrays[f"head.norm.{kind}"] for kind in ("weight", "bias")}
                head |= norm | {"epsilon": config.head.epsilon}
        attention = None
        if config.attention:
            hidden = _linear(arrays, "attention.hidden")
            scores = arrays["attention.scores.weight.T"]
            attention = {"hidden": hidden["weight"], "bias": hidden["bias"], "scores": scores}
        return cls(
            table=arrays[TABLE],
            layers=[
                {name: arrays[f"{name}{layer}"] for name in layer_tensors(config)} for layer in range(config.layers)
            ],
            input_projection=_linear(arrays, "input_projection") if config.input_projection else None,
            attention=attention,
            head=head,
        )


def read(bundle: Bundle) -> Weights:
    """Read the weights of a bundle.

    Raises BundleError if model.onnx computes anything but what config.json describes, or fails `sound_graph`.
    """
    file, config = bundle.path / MODEL, bundle.config
    graph = sound_graph(bundle)
    held = {tensor.name.decode(): tensor for tensor in graph.initializer}
    is_half = TABLE in held and held[TABLE].data_type == HALF
    found, written = [*map(_node, graph.node)], encoder_graph(config, half_table=is_half)
    given = {"", *INPUTS, *OUTPUTS, *held}
    if _unnamed(found, given) != _unnamed(written.nodes, given):
        raise BundleError(f"{file} isn't the graph that `bothends export` writes for {config.described()}")
    for node, expected in zip(found, written.nodes, strict=True):
        if node.operator in _CELLS and node.attributes != expected.attributes:
            raise BundleError(
                f"{file}: {node.name} has another direction, hidden_size or order of gates than config.json"
            )
    try:
        for name, constant in written.constants.items():
            if held[name].raw_data != constant.tobytes():
                raise BundleError(f"{file}: its constant {printable(name)} isn't what `bothends export` writes")
        arrays = {name: _array(tensor) for name, tensor in held.items() if name not in written.constants}
        return Weights.named_as_in_graph(arrays, config)
    except (KeyError, ValueError) as error:
        raise BundleError(f"{file}: its weights can't be read: {type(error).__name__}") from error


def _linear(arrays: Arrays, name: str) -> dict[str, NDArray[Any]]:
    return {"weight": arrays[f"{name}.weight.T"], "bias": arrays[f"{name}.bias"]}


def _unnamed(nodes: Iterable[Node], given: set[str]) -> list[Node]:
    """The same nodes with numbers, in order of appearance, in place of all names that aren't given.

    Attributes of cells are left out: they have a refusal of their own.
    """
    numbers: dict[str, str] = {}

    def numbered(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(name if name in given else numbers.setdefault(name, f"#{len(numbers)}") for name in names)

    return [
        Node(
            node.operator,
            numbered(node.inputs),
            numbered(node.outputs),
            {} if node.operator in _CELLS else node.attributes,
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
