"""Plain data of which an ONNX graph is built: its nodes, and the constants that they read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOAT, INT32, INT64, HALF = 1, 6, 7, 10
"""Types of the numbers that a graph holds, as TensorProto.DataType counts them."""

Attribute = int | float | str | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """Node of the graph; an empty name stands for an absent input or output."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    name: str = ""
    """Name of the node itself, which only a layer of cells has."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Graph that is built from its inputs to its outputs."""

    nodes: list[Node] = field(default_factory=list)
    """Nodes in the order in which they run."""
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    """Numbers that nodes read and that are the same whatever the weights are."""

    def add(self, operator: str, inputs: Sequence[str], *outputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node. Returns the name of its last output."""
        self.nodes.append(Node(operator, tuple(inputs), outputs, attributes, name))
        return outputs[-1]

    def once(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node that several others share, unless it exists. Returns the name of its output."""
        if not any(output in node.outputs for node in self.nodes):
            self.add(operator, inputs, output, **attributes)
        return output

    def constant(self, name: str, values: NDArray[Any] | Sequence[int]) -> str:
        """Add a constant under `name`, unless it exists; integers become int64. Returns the name."""
        self.constants.setdefault(name, values if isinstance(values, np.ndarray) else np.array(values, dtype=np.int64))
        return name

    def linear(self, name: str, below: str, output: str) -> str:
        """Add a linear layer, whose matrix is transposed in the graph. Returns the name of its output."""
        unbiased = self.add("MatMul", [below, f"{name}.weight.T"], f"{output}_unbiased")
        return self.add("Add", [unbiased, f"{name}.bias"], output)

    def joined_ends(self, final: str, output: str) -> str:
        """Join the directions of `final`: [directions, batch, state] to `output` [batch, directions·state]."""
        by_batch = self.add("Transpose", [final], f"{final}_by_batch", perm=(1, 0, 2))
        return self.add("Reshape", [by_batch, self.constant("join_both_ends", [0, -1])], output)
