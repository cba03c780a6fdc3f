"""Finds the LSTM and GRU layers of an ONNX graph: their nodes, where their weights come from, and what reads them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from bothends.model.architecture import Cell
from bothends.text import printable
from bothends_export.graph import ONNX_TO_TORCH, reorder

from ..errors import DoctorError
from ..mistakes.recurrence import Direction
from .onnx_graph import Graph, with_outputs

_ACTIVATIONS = {"LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"]}
_HIDDEN_IN = {
    "Loop": "it steps through its cells in a Loop",
    "Scan": "it steps through its cells in a Scan",
    "DynamicQuantizeLSTM": "its LSTM is quantised; examine the float model that it was made from",
    "DynamicQuantizeLinear": "it is quantised; examine the float model that it was made from",
    "RNN": "its recurrent layer is a plain RNN",
}


@dataclass(frozen=True, slots=True)
class Node:
    """LSTM or GRU node."""

    proto: onnx.NodeProto
    cell: Cell
    directions: tuple[str, ...]
    """Directions: forward, reverse, or both."""

    def input(self, name: Literal["X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c"]) -> str | None:
        """Return the name of the tensor at an input of the node; None if it has none."""
        names = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c")
        index = names.index(name)
        return (self.proto.input[index] or None) if index < len(self.proto.input) else None

    @property
    def outputs(self) -> dict[str, str]:
        """Output tensors by their names in ONNX: Y, Y_h, Y_c."""
        return {name: kind for kind, name in zip(("Y", "Y_h", "Y_c"), self.proto.output, strict=False) if name}

    @property
    def linear_before_reset(self) -> bool:
        """True if the reset gate is applied after the linear layer; always true for an LSTM."""
        return self.cell == "lstm" or bool(_attributes(self.proto).get("linear_before_reset", 0))


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def layers(graph: Graph) -> list[list[Node]]:
    """Return the layers from the bottom up, each one node, or two of opposite directions. Raises DoctorError."""
    found: list[list[Node]] = []
    for node in _nodes(graph):
        below = found[-1] if found else []
        if len(below) == 1 and below[0].input("X") == node.input("X") and len(node.directions) == 1:
            pair = sorted([below[0], node], key=lambda one: one.directions)
            found[-1] = pair
        else:
            found.append([node])
    if not found:
        raise DoctorError(f"there is no LSTM or GRU node in it{_why_none(graph)}")
    kinds = [
        (node.cell, tuple(name for node in layer for name in node.directions)) for layer in found for node in layer
    ]
    if len(set(kinds)) > 1 or kinds[0][1] not in (("forward",), ("forward", "reverse")):
        raise DoctorError(
            f"its recurrent layers are of several kinds: {', '.join(sorted({str(kind) for kind in kinds}))}"
        )
    return found


def _why_none(graph: Graph) -> str:
    operators = {node.op_type for node in graph.nodes}
    return next((f": {reason}" for operator, reason in _HIDDEN_IN.items() if operator in operators), "")


def _nodes(graph: Graph) -> Iterator[Node]:
    for proto in graph.nodes:
        if proto.op_type not in _ACTIVATIONS or proto.domain not in ("", "ai.onnx"):
            continue
        attributes = _attributes(proto)
        direction = attributes.get("direction", b"forward").decode(errors="replace")
        directions = ("forward", "reverse") if direction == "bidirectional" else (direction,)
        if unusual := _unusual(proto, attributes, len(directions)):
            raise DoctorError(
                f"its {proto.op_type} node {printable(proto.name)} has {unusual}, which PyTorch hasn't got"
            )
        yield Node(proto, "lstm" if proto.op_type == "LSTM" else "gru", directions)


def _unusual(node: onnx.NodeProto, attributes: dict[str, Any], directions: int) -> str | None:
    activations = [name.decode(errors="replace").lower() for name in attributes.get("activations", [])]
    if activations and activations != _ACTIVATIONS[node.op_type] * directions:
        return f"the activations {printable(activations)}"
    if len(node.input) > 7 and node.input[7]:
        return "peepholes"
    return next((f"{name} set" for name in ("clip", "input_forget", "layout") if attributes.get(name)), None)


def weights(graph: Graph, found: Sequence[Sequence[Node]]) -> list[list[Direction]]:
    """Return the weights of each layer's directions, with gates in PyTorch's order. `found` are the layers' nodes, as
    `layers` returns them. Raises DoctorError.
    """
    names = [
        name
        for layer in found
        for node in layer
        for index in ("W", "R", "B")
        if (name := node.input(index)) is not None
    ]
    values = dict(zip(names, constants(graph, names), strict=True))
    return [[direction for node in layer for direction in _directions(node, values)] for layer in found]


def constants(graph: Graph, names: Sequence[str]) -> list[NDArray[Any]]:
    """Return the values of tensors that depend on no input, computing those that aren't stored. Raises DoctorError."""
    needed = {inner for name in names for inner in graph.needed(name)}
    if fed := [value.name for value in graph.inputs if value.name in needed]:
        raise DoctorError(f"its recurrent weights depend on the input {printable(fed[0])}")
    unique = list(dict.fromkeys(names))
    lone = with_outputs(graph.model, unique)
    del lone.graph.node[:], lone.graph.input[:], lone.graph.initializer[:], lone.graph.output[:]
    lone.graph.node.extend(node for node in graph.nodes if needed.intersection(node.output))
    for name in unique:  # an initialiser can't be an output by itself in every version
        lone.graph.node.append(helper.make_node("Identity", [name], [f"{name} doctor"]))
        lone.graph.output.append(helper.make_empty_tensor_value_info(f"{name} doctor"))
    lone.graph.initializer.extend(tensor for tensor in graph.model.graph.initializer if tensor.name in needed)
    by_name = dict(zip(unique, Graph(lone).values([f"{name} doctor" for name in unique], {}), strict=True))
    return [by_name[name] for name in names]


def _directions(node: Node, values: dict[str, NDArray[Any]]) -> Iterator[Direction]:
    w, r = (values[str(node.input(index))] for index in ("W", "R"))
    hidden = r.shape[2]
    bias_name = node.input("B")
    b = values[bias_name] if bias_name else np.zeros((len(w), 2 * w.shape[1]), np.float32)
    for index in range(len(node.directions)):
        bias_ih, bias_hh = np.split(b[index], 2)
        parts = [reorder(array, ONNX_TO_TORCH[node.cell], hidden) for array in (w[index], r[index], bias_ih, bias_hh)]
        yield Direction(*(np.ascontiguousarray(part, dtype=np.float32) for part in parts))


def with_initial(directions: Sequence[Direction], initial: Sequence[tuple[Any, Any]]) -> tuple[list[Direction], bool]:
    """Return the directions with the first row of their initial states, and True if the rows differ."""
    h_0, c_0 = (
        [
            row
            for value in values
            for row in (value if value is not None else [None] * (len(directions) // len(initial)))
        ]
        for values in zip(*initial, strict=True)
    )
    differs = any(row is not None and bool(np.any(row != row[:1])) for row in (*h_0, *c_0))
    first = [[None if row is None or not np.any(row) else row[0] for row in rows] for rows in (h_0, c_0)]
    made = [replace(one, h_0=h, c_0=c) for one, h, c in zip(directions, *first, strict=True)]
    return made, differs
