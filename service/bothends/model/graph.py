"""ONNX graph of an encoder as plain data: every node, its names and attributes, without the weights.

`bothends export` writes this graph, the allowlist allows no other, and the native engine finds the weights by it.

token_ids [batch, time] → Transpose → Gather → (Cast) → (linear) → LSTM or GRU (sequence_lens = lengths) …
h_n = Concat(Y_h of each layer)
embedding = what a pooling (pooling.py) makes of the last Y_h and Y → (head)
"""

from itertools import product
from typing import get_args

import numpy as np

from .architecture import Attention, Cell, EncoderConfig, Head
from .nodes import FLOAT, Graph
from .pooling import POOLINGS, TopLayer

INPUTS = ("token_ids", "lengths")
"""Names of the graph's inputs: int64 [batch, time] and int32 [batch]."""
OUTPUTS = ("embedding", "h_n")
"""Names of the graph's outputs: float32 [batch, dimension] and [layers·directions, batch, state].

Where layers are of unequal width, h_n has the top layer's states alone.
"""
TABLE = "embedding.weight"
"""Name of the embedding table, float32 or float16 [vocabulary, embedding]. All other weights are float32."""


def encoder_graph(config: EncoderConfig, *, half_table: bool = False) -> Graph:
    """Return the graph of an encoder; `half_table` means that the embedding table is kept in float16."""
    graph = Graph()
    pooling = POOLINGS[config.pooling]
    below = _vectors(graph, config, half_table=half_table)
    finals = []
    for layer in range(config.layers):
        # Y is named only where it is read: onnxruntime then doesn't compute it.
        reads_steps = layer < config.layers - 1 or pooling.reads_steps
        _cells(graph, config, layer, below=below, reads_steps=reads_steps)
        finals.append(_final_states(graph, config, layer))
        if reads_steps:
            below = _steps(graph, config, layer)
    graph.add("Concat", finals[-1:] if config.hidden_sizes else finals, "h_n", axis=0)
    pooled = "pooled" if config.head else "embedding"
    pooling.onnx(graph, TopLayer(finals[-1], below, config.attention.hops if config.attention else 1), pooled)
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
    for cell, pooling, head, hops in product(get_args(Cell), POOLINGS, heads, (1, 2)):
        projected = {"projection_size": 1} if cell == "lstm" else {}
        config = EncoderConfig(
            cell=cell,
            pooling=pooling,
            attention=Attention(size=1, hops=hops) if pooling == "attention" else None,
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
    return graph.linear("input_projection", vectors, "inputs") if config.input_projection else vectors


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
        hidden_size=config.widths[layer],
        **({"linear_before_reset": int(config.reset_after)} if config.cell == "gru" else {}),
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
    ends = graph.joined_ends(final, f"unprojected_ends{layer}")
    projected = graph.add("MatMul", [ends, f"P{layer}"], f"ends{layer}")
    split = graph.constant("split_directions", [0, config.directions, config.state_size])
    apart = graph.add("Reshape", [projected, split], f"ends{layer}_apart")
    return graph.add("Transpose", [apart], f"h{layer}", perm=(1, 0, 2))


def _head(graph: Graph, head: Head, pooled: str) -> None:
    linear = graph.linear("head.linear", pooled, "embedding" if head.then == "none" else "linear")
    if head.then == "layer_norm":
        learned = ["head.norm.weight", "head.norm.bias"]
        epsilon = float(np.float32(head.epsilon))  # as a file holds it
        graph.add("LayerNormalization", [linear, *learned], "embedding", axis=-1, epsilon=epsilon)
    elif head.then != "none":
        graph.add({"tanh": "Tanh", "relu": "Relu"}[head.then], [linear], "embedding")
