"""Poolings: how the top layer's states become one vector. Each is one row of POOLINGS, and its ONNX stands below it.

`bothends_export.pooling` computes each in PyTorch, which tests hold to ONNX. Nothing else knows how one is computed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .nodes import FLOAT, INT32, Graph

Pooling = Literal["final_states", "max", "mean", "last_output", "first_and_last_output", "attention"]
"""Name of a pooling, a key of POOLINGS."""


@dataclass(frozen=True, slots=True)
class TopLayer:
    """Names of what a pooling reads in a graph."""

    final: str
    """Final states, float32 [directions, batch, state]."""
    steps: str
    """Every step's states, float32 [time, batch, directions·state]; absent where the pooling doesn't read them."""
    hops: int = 1
    """Number of weighted means that attention takes."""


@dataclass(frozen=True, slots=True)
class PoolingKind:
    """Facts about one pooling."""

    meaning: str
    """Its meaning for people, with `output` as PyTorch's, of a sentence by itself."""
    onnx: Callable[[Graph, TopLayer, str], object]
    """Adds its nodes to a graph, the last of which gives the output of this name, float32 [batch, numbers]."""
    vectors: int = 1
    """Number of vectors, each of all directions' states, that it joins (attention: for each of its hops)."""
    reads_steps: bool = True
    """Whether it reads the states of every step; else the final ones alone."""


def _final_states(graph: Graph, top: TopLayer, output: str) -> None:
    graph.joined_ends(top.final, output)


def _max(graph: Graph, top: TopLayer, output: str) -> None:
    kept = _where(graph, _until(graph, "LessOrEqual", "lengths"), top.steps, "filling", other=-np.inf)
    graph.add("ReduceMax", [kept], output, axes=(0,), keepdims=0)


def _mean(graph: Graph, top: TopLayer, output: str) -> None:
    total = _sum(graph, _steps_until(graph, top, "LessOrEqual", "lengths"), "sum")
    graph.add("Cast", ["lengths"], "counts", to=FLOAT)
    graph.add("Reshape", ["counts", graph.constant("down", [-1, 1])], "counts_down")
    graph.add("Div", [total, "counts_down"], output)


def _last_output(graph: Graph, top: TopLayer, output: str) -> None:
    _sum(graph, _steps_until(graph, top, "Equal", "lengths"), output)  # of one step and zeros: that step


def _first_and_last_output(graph: Graph, top: TopLayer, output: str) -> None:
    one = graph.constant("one", np.ones(1, dtype=np.int32))
    first = _sum(graph, _steps_until(graph, top, "Equal", one), "first")
    last = _sum(graph, _steps_until(graph, top, "Equal", "lengths"), "last")
    graph.add("Concat", [first, last], output, axis=1)


def _attention(graph: Graph, top: TopLayer, output: str) -> None:
    """Weighted means of all steps, hop by hop; the weights are a softmax, over the sentence's own steps, of scores.

    The softmax is written out: onnxruntime's adds up a sentence's exponentials in another order if it is padded.
    """
    own = _until(graph, "LessOrEqual", "lengths")
    hidden = graph.add("Tanh", [graph.linear("attention.hidden", top.steps, "attention_linear")], "attention_hidden")
    scores = graph.add("MatMul", [hidden, "attention.scores.weight.T"], "attention_scores")
    scores = _where(graph, own, scores, "lowest", other=-np.inf)  # [time, batch, hops]
    largest = graph.add("ReduceMax", [scores], "attention_largest", axes=(0,), keepdims=1)
    powers = graph.add("Exp", [graph.add("Sub", [scores, largest], "attention_below")], "attention_powers")
    weights = graph.add("Div", [powers, _sum(graph, powers, "attention_total", keepdims=1)], "attention_weights")
    steps = _where(graph, own, top.steps, "filling")
    if top.hops == 1:  # of a product with one row, too, onnxruntime adds up in another order if there is padding
        _sum(graph, graph.add("Mul", [weights, steps], "attention_parts"), output)
        return
    by_sentence = graph.add("Transpose", [weights], "attention_by_sentence", perm=(1, 2, 0))
    batched = graph.add("Transpose", [steps], "steps_by_sentence", perm=(1, 0, 2))
    means = graph.add("MatMul", [by_sentence, batched], "attention_means")  # [batch, hops, directions·state]
    graph.add("Reshape", [means, graph.constant("join_both_ends", [0, -1])], output)


POOLINGS: dict[Pooling, PoolingKind] = {
    "final_states": PoolingKind(
        "cat(h_n[-2], h_n[-1]), each direction's state once it has read the whole sentence",
        _final_states,
        reads_steps=False,
    ),
    "max": PoolingKind("the largest of each number over all steps of output", _max),
    "mean": PoolingKind("the mean over all steps of output", _mean),
    "last_output": PoolingKind(
        "output[-1], whose backward half has read one token: only for a head that was trained on it", _last_output
    ),
    "first_and_last_output": PoolingKind(
        "cat(output[0], output[-1]), as flair's DocumentRNNEmbeddings have it", _first_and_last_output, vectors=2
    ),
    "attention": PoolingKind(
        "weighted means over all steps of output, by softmax(scores(tanh(hidden(output)))): "
        "a structured self-attention (Lin et al., ICLR 2017), its hops one after the other",
        _attention,
    ),
}


def _until(graph: Graph, comparison: str, limit: str) -> str:
    """Mask [time, batch, 1] of the steps whose position, from 1, compares so with `limit`.

    Positions are counted without Shape and Range, which run on CPUs only.
    """
    graph.once("Equal", ["token_ids_by_time", "token_ids_by_time"], "true")
    graph.once("Cast", ["true"], "ones", to=INT32)
    graph.once("CumSum", ["ones", graph.constant("time_axis", np.array(0, dtype=np.int64))], "positions")
    mask = graph.add(comparison, ["positions", limit], f"{comparison}_{limit}")
    return graph.add("Reshape", [mask, graph.constant("widen", [0, 0, 1])], f"{mask}_wide")


def _where(graph: Graph, mask: str, values: str, filling: str, *, other: float = 0) -> str:
    """`values` [time, batch, …] where `mask` is true; elsewhere `other`, which changes no result: padding's garbage.

    `filling` is the name that the constant gets.
    """
    constant = graph.constant(filling, np.array(other, dtype=np.float32))
    return graph.add("Where", [mask, values, constant], f"{values}_{mask}")


def _steps_until(graph: Graph, top: TopLayer, comparison: str, limit: str) -> str:
    """The states of the steps whose position compares so with `limit`, and zeros for those of others."""
    return _where(graph, _until(graph, comparison, limit), top.steps, "filling")


def _sum(graph: Graph, steps: str, output: str, *, keepdims: int = 0) -> str:
    return graph.add("ReduceSum", [steps, graph.constant("over_time", [0])], output, keepdims=keepdims)
