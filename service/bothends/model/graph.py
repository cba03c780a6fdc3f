"""ONNX graph of an encoder as plain data: every node, its names and attributes, without the weights.

`bothends export` writes this graph, the allowlist allows no other, and the native engine finds the weights by it.

token_ids [batch, time] → Transpose → Gather → (Cast) → (linear) → LSTM or GRU (sequence_lens = lengths) …
h_n = Concat(Y_h of each layer)
embedding = last Y_h, [directions, batch, state] → [batch, directions·state], or pooled from the last Y; → (head)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from .architecture import Cell, EncoderConfig, Head, Pooling

INPUTS = ("token_ids", "lengths")
"""Names of the graph's inputs: int64 [batch, time] and int32 [batch]."""
OUTPUTS = ("embedding", "h_n")
"""Names of the graph's outputs: float32 [batch, dimension] and [layers·directions, batch, state]."""
TABLE = "embedding.weight"
"""Name of the embedding table, float32 or float16 [vocabulary, embedding]. All other weights are float32."""
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


def encoder_graph(config: EncoderConfig, *, half_table: bool = False) -> Graph:
    """Return the graph of an encoder; `half_table` means that the embedding table is kept in float16."""
    graph = Graph()
    below = _vectors(graph, config, half_table=half_table)
    finals = []
    for layer in range(config.layers):
        is_top = layer == config.layers - 1
        # Y is named only where it is read: onnxruntime then doesn't compute it.
        reads_steps = not is_top or config.pooling != "final_states"
        _cells(graph, config, layer, below=below, reads_steps=reads_steps)
        finals.append(_final_states(graph, config, layer))
        if reads_steps:
            below = _steps(graph, config, layer)
    graph.add("Concat", finals, "h_n", axis=0)
    pooled = "pooled" if config.head else "embedding"
    if config.pooling == "final_states":
        _joined_ends(graph, finals[-1], pooled)
    else:
        _pool(graph, below, config.pooling, pooled)
    if config.head:
        _head(graph, config.head, pooled)
    return graph


def layer_tensors(config: EncoderConfig) -> list[str]:
    """Return the names of each layer's tensors; in the graph, the layer's number follows: W0, R0, B0."""
    found = ["W", "R", *["B"] * config.bias, *["P"] * bool(config.projection_size)]
    return found + ["h_0", *["c_0"] * (config.cell == "lstm")] * config.learned_initial_states


def operators() -> dict[str, frozenset[str]]:
    """Return every operator that the graph of any encoder uses, with the attributes that it is given."""
    found: dict[str, set[str]] = {}
    heads = [None, *(Head(size=1, then=then) for then in get_args(Head.model_fields["then"].annotation))]
    for cell, pooling, head in product(get_args(Cell), get_args(Pooling), heads):
        projected = {"projection_size": 1} if cell == "lstm" else {}
        config = EncoderConfig(
            cell=cell,
            pooling=pooling,
            vocabulary_size=1,
            embedding_size=1,
            input_projection=1,
            hidden_size=2,
            layers=2,
            learned_initial_states=True,
            head=head,
            **projected,
        )
        for node in encoder_graph(config, half_table=True).nodes:
            found.setdefault(node.operator, set()).update(node.attributes)
    return {operator: frozenset(attributes) for operator, attributes in found.items()}


def _vectors(graph: Graph, config: EncoderConfig, *, half_table: bool) -> str:
    """Float32 [time, batch, input]."""
    by_time = graph.add("Transpose", ["token_ids"], "token_ids_by_time", perm=(1, 0))
    vectors = graph.add("Gather", [TABLE, by_time], "stored_vectors" if half_table else "vectors")
    if half_table:
        vectors = graph.add("Cast", [vectors], "vectors", to=FLOAT)
    return _linear(graph, "input_projection", vectors, "inputs") if config.input_projection else vectors


def _linear(graph: Graph, name: str, below: str, output: str) -> str:
    """Add a linear layer, whose matrix is transposed in the graph."""
    unbiased = graph.add("MatMul", [below, f"{name}.weight.T"], f"{output}_unbiased")
    return graph.add("Add", [unbiased, f"{name}.bias"], output)


def _cells(graph: Graph, config: EncoderConfig, layer: int, *, below: str, reads_steps: bool) -> None:
    """A layer's cells: `Y_h…` [directions, batch, hidden], and `Y…` [time, directions, batch, hidden] if it is read."""
    held = layer_tensors(config)
    initial = [_for_each(graph, f"{name}{layer}") for name in ("h_0", "c_0") if name in held]
    graph.add(
        config.cell.upper(),
        [below, f"W{layer}", f"R{layer}", f"B{layer}" if "B" in held else "", "lengths", *initial],
        f"Y{layer}" if reads_steps else "",
        f"Y_h{layer}",
        name=f"{config.cell}{layer}",
        direction="bidirectional" if config.bidirectional else "forward",
        hidden_size=config.hidden_size,
        **({"linear_before_reset": 1} if config.cell == "gru" else {}),  # as PyTorch and cuDNN have it
    )


def _for_each(graph: Graph, state: str) -> str:
    """[directions, 1, hidden] for each sentence: [directions, batch, hidden]. Without Shape: it runs on CPUs only."""
    graph.once("Cast", ["lengths"], "lengths_as_floats", to=FLOAT)
    graph.once("Mul", ["lengths_as_floats", graph.constant("nothing", np.zeros(1, dtype=np.float32))], "zeros")
    graph.once("Reshape", ["zeros", graph.constant("across", [1, -1, 1])], "zeros_across")
    return graph.add("Add", [state, "zeros_across"], f"{state}_each")


def _steps(graph: Graph, config: EncoderConfig, layer: int) -> str:
    """Return every step's state, float32 [time, batch, directions·state], which the next layer reads."""
    by_batch = graph.add("Transpose", [f"Y{layer}"], f"Y{layer}_by_batch", perm=(0, 2, 1, 3))
    joined = "unprojected" if config.projection_size else "states"
    steps = graph.add("Reshape", [by_batch, graph.constant("join_last_two", [0, 0, -1])], f"{joined}{layer}")
    return graph.add("MatMul", [steps, f"P{layer}"], f"states{layer}") if config.projection_size else steps


def _final_states(graph: Graph, config: EncoderConfig, layer: int) -> str:
    """A layer's part of h_n, float32 [directions, batch, state]."""
    final = f"Y_h{layer}"
    if not config.projection_size:
        return final
    ends = _joined_ends(graph, final, f"unprojected_ends{layer}")
    projected = graph.add("MatMul", [ends, f"P{layer}"], f"ends{layer}")
    split = graph.constant("split_directions", [0, config.directions, config.state_size])
    apart = graph.add("Reshape", [projected, split], f"ends{layer}_apart")
    return graph.add("Transpose", [apart], f"h{layer}", perm=(1, 0, 2))


def _joined_ends(graph: Graph, final: str, output: str) -> str:
    """[directions, batch, state] → [batch, directions·state]."""
    by_batch = graph.add("Transpose", [final], f"{final}_by_batch", perm=(1, 0, 2))
    return graph.add("Reshape", [by_batch, graph.constant("join_both_ends", [0, -1])], output)


def _pool(graph: Graph, steps: str, pooling: Pooling, output: str) -> None:
    """`steps` float32 [time, batch, numbers] to `output` float32 [batch, numbers] or twice as many, without padding."""
    _positions(graph)
    if pooling == "max":
        kept = _kept(graph, steps, "LessOrEqual", "lengths", other=-np.inf)
        graph.add("ReduceMax", [kept], output, axes=(0,), keepdims=0)
    elif pooling == "mean":
        total = _sum(graph, _kept(graph, steps, "LessOrEqual", "lengths"), "sum")
        graph.add("Cast", ["lengths"], "counts", to=FLOAT)
        graph.add("Reshape", ["counts", graph.constant("down", [-1, 1])], "counts_down")
        graph.add("Div", [total, "counts_down"], output)
    elif pooling == "last_output":
        _sum(graph, _kept(graph, steps, "Equal", "lengths"), output)  # of one step and zeros: that step
    elif pooling == "first_and_last_output":
        one = graph.constant("one", np.ones(1, dtype=np.int32))
        first = _sum(graph, _kept(graph, steps, "Equal", one), "first")
        last = _sum(graph, _kept(graph, steps, "Equal", "lengths"), "last")
        graph.add("Concat", [first, last], output, axis=1)
    else:
        raise ValueError(f"no graph is known for pooling {pooling} over steps")


def _positions(graph: Graph) -> None:
    """`positions` int32 [time, batch], counted from 1. Not by Shape and Range, which run on CPUs only."""
    graph.add("Equal", ["token_ids_by_time", "token_ids_by_time"], "true")
    graph.add("Cast", ["true"], "ones", to=INT32)
    graph.add("CumSum", ["ones", graph.constant("time_axis", np.array(0, dtype=np.int64))], "positions")


def _kept(graph: Graph, steps: str, comparison: str, limit: str, *, other: float = 0) -> str:
    """`steps` where `positions` compare so with `limit`; elsewhere `other`, which changes no result."""
    mask = graph.add(comparison, ["positions", limit], f"{comparison}_{limit}")
    wide = graph.add("Reshape", [mask, graph.constant("widen", [0, 0, 1])], f"{mask}_wide")
    filling = graph.constant("filling", np.array(other, dtype=np.float32))
    return graph.add("Where", [wide, steps, filling], f"{mask}_steps")


def _sum(graph: Graph, steps: str, output: str) -> str:
    return graph.add("ReduceSum", [steps, graph.constant("over_time", [0])], output, keepdims=0)


def _head(graph: Graph, head: Head, pooled: str) -> None:
    linear = _linear(graph, "head.linear", pooled, "embedding" if head.then == "none" else "linear")
    if head.then == "layer_norm":
        learned = ["head.norm.weight", "head.norm.bias"]
        graph.add("LayerNormalization", [linear, *learned], "embedding", axis=-1, epsilon=head.epsilon)
    elif head.then != "none":
        graph.add({"tanh": "Tanh", "relu": "Relu"}[head.then], [linear], "embedding")
