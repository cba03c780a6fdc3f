"""Encoders as people write them in ONNX by hand, right and wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from .modules import EMBEDDING, HIDDEN, VOCABULARY

ORDERS = {"LSTM": {"onnx": [0, 3, 1, 2], "torch": [0, 1, 2, 3]}, "GRU": {"onnx": [1, 0, 2], "torch": [0, 1, 2]}}


def state_dict(cell: str, layers: int, directions: int, *, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Random weights, named as nn.LSTM and nn.GRU name them under `rnn.`"""
    random = np.random.default_rng(seed)
    gates = len(ORDERS[cell]["onnx"])
    made = {"embedding.weight": random.standard_normal((VOCABULARY, EMBEDDING), dtype=np.float32)}
    for layer in range(layers):
        width = EMBEDDING if layer == 0 else directions * HIDDEN
        for end in ("", "_reverse")[:directions]:
            shapes = {"weight_ih": (width,), "weight_hh": (HIDDEN,), "bias_ih": (), "bias_hh": ()}
            for name, rest in shapes.items():
                array = random.uniform(-0.7, 0.7, (gates * HIDDEN, *rest))
                made[f"rnn.{name}_l{layer}{end}"] = array.astype(np.float32)
    return made


class Builder:
    """Nodes and initialisers, collected."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []

    def node(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), list(outputs), **attributes))
        return next(name for name in outputs if name)

    def constant(self, name: str, values: Any, dtype: Any = np.int64) -> str:
        self.initialisers.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name


def build(
    file: Path,
    *,
    cell: str = "LSTM",
    layers: int = 1,
    directions: int = 2,
    pooling: str = "final_states",
    told: bool = True,
    order: str = "onnx",
    linear_before_reset: int = 1,
    batch: int | str = "batch",
    time: int | str = "time",
    batch_first: bool = True,
    ids: bool = True,
    head: bool = False,
    opset: int = 17,
    seed: int = 0,
) -> dict[str, NDArray[np.float32]]:
    """Write an encoder and return the state dict that it is made of. `told` is whether its cells know the lengths."""
    weights, made = state_dict(cell, layers, directions, seed=seed), Builder()
    names = ("batch", "time") if batch_first else ("time", "batch")
    sizes = {"batch": batch, "time": time}
    below = "tokens"
    if ids:
        made.constant("table", weights["embedding.weight"], np.float32)
        below = made.node("Gather", ["table", below], ["vectors"])
    if batch_first:
        below = made.node("Transpose", [below], ["by_time"], perm=[1, 0, 2])
    for layer in range(layers):
        below = _layer(made, weights, below, layer, cell, directions, told, order, linear_before_reset)
    row = _POOLINGS[pooling](made, layers, directions)
    if head:
        made.constant("head_weight", np.random.default_rng(9).standard_normal((directions * HIDDEN, 4)), np.float32)
        row = made.node("Tanh", [made.node("MatMul", [row, "head_weight"], ["before_tanh"])], ["tanh"])
    made.node("Identity", [row], ["embedding"])
    _save(file, made, [sizes[name] for name in names], batch, ids, told or pooling in _NEEDS_LENGTHS, opset)
    return weights


_NEEDS_LENGTHS = ("max", "mean", "step_before_padding")


def _save(
    file: Path, made: Builder, axes: list[int | str], batch: int | str, ids: bool, has_lengths: bool, opset: int
) -> None:
    shape = axes + ([] if ids else [EMBEDDING])
    inputs = [helper.make_tensor_value_info("tokens", TensorProto.INT64 if ids else TensorProto.FLOAT, shape)]
    if has_lengths:
        inputs.append(helper.make_tensor_value_info("lengths", TensorProto.INT32, [batch]))
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [batch, None])]
    graph = helper.make_graph(made.nodes, "by_hand", inputs, outputs, made.initialisers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], producer_name="by hand")
    model.ir_version = 8
    onnx.save(model, str(file))


def _layer(
    made: Builder, weights: dict[str, Any], below: str, layer: int, cell: str, directions: int, told: bool, order: str,
    linear_before_reset: int,
) -> str:  # fmt: skip
    def stacked(name: str) -> NDArray[np.float32]:
        arrays = [weights[f"rnn.{name}_l{layer}{end}"] for end in ("", "_reverse")[:directions]]
        gates = [np.split(array, len(ORDERS[cell]["onnx"])) for array in arrays]
        return np.stack([np.concatenate([parts[gate] for gate in ORDERS[cell][order]]) for parts in gates])

    made.constant(f"W{layer}", stacked("weight_ih"), np.float32)
    made.constant(f"R{layer}", stacked("weight_hh"), np.float32)
    made.constant(f"B{layer}", np.concatenate((stacked("bias_ih"), stacked("bias_hh")), axis=1), np.float32)
    attributes = {"linear_before_reset": linear_before_reset} if cell == "GRU" else {}
    inputs = [below, f"W{layer}", f"R{layer}", f"B{layer}", *(["lengths"] if told else [])]
    direction = "bidirectional" if directions == 2 else "forward"
    made.node(cell, inputs, [f"Y{layer}", f"Y_h{layer}"], direction=direction, hidden_size=HIDDEN, **attributes)
    made.node("Transpose", [f"Y{layer}"], [f"Y{layer}_turned"], perm=[0, 2, 1, 3])
    made.constant(f"join{layer}", [0, 0, -1])
    return made.node("Reshape", [f"Y{layer}_turned", f"join{layer}"], [f"output{layer}"])


def _final(made: Builder, layers: int, directions: int, places: tuple[int, ...] = (0, 1)) -> str:
    top = f"Y_h{layers - 1}"
    parts = [
        made.node("Gather", [top, made.constant(f"end{index}", index)], [f"half{index}"], axis=0)
        for index in places[:directions]
    ]
    return made.node("Concat", parts, ["row"], axis=1)


def _swapped(made: Builder, layers: int, directions: int) -> str:
    return _final(made, layers, directions, (1, 0))


def _step(made: Builder, layers: int, directions: int, index: int = -1) -> str:
    return made.node("Gather", [f"output{layers - 1}", made.constant("step", index)], ["row"], axis=0)


def _fourth(made: Builder, layers: int, directions: int) -> str:
    return _step(made, layers, directions, 4)


def _by_batch(made: Builder, layers: int) -> str:
    return made.node("Transpose", [f"output{layers - 1}"], ["by_batch"], perm=[1, 0, 2])


def _at_length(made: Builder, layers: int, directions: int) -> str:
    made.constant("axis", [1])
    long = made.node("Cast", ["lengths"], ["long"], to=TensorProto.INT64)
    column = made.node("Unsqueeze", [made.node("Sub", [long, made.constant("one", 1)], ["ends"]), "axis"], ["column"])
    return made.node("GatherND", [_by_batch(made, layers), column], ["row"], batch_dims=1)


def _counts(made: Builder, layers: int) -> str:
    made.constant("axis", [1])
    made.constant("last", [2])
    time = made.node(
        "Gather", [made.node("Shape", [f"output{layers - 1}"], ["shape"]), made.constant("zero", 0)], ["T"]
    )
    steps = made.node("Range", ["zero", time, made.constant("one", 1)], ["steps"])
    ends = made.node("Unsqueeze", [made.node("Cast", ["lengths"], ["long"], to=TensorProto.INT64), "axis"], ["ends"])
    return made.node("Unsqueeze", [made.node("Less", [steps, ends], ["counts"]), "last"], ["mask"])


def _masked_max(made: Builder, layers: int, directions: int) -> str:
    made.constant("lowest", -np.inf, np.float32)
    kept = made.node("Where", [_counts(made, layers), _by_batch(made, layers), "lowest"], ["kept"])
    return made.node("ReduceMax", [kept], ["row"], axes=[1], keepdims=0)


def _masked_mean(made: Builder, layers: int, directions: int) -> str:
    made.constant("nothing", 0, np.float32)
    kept = made.node("Where", [_counts(made, layers), _by_batch(made, layers), "nothing"], ["kept"])
    total = made.node("ReduceSum", [kept, "axis"], ["total"], keepdims=0)
    counted = made.node("Unsqueeze", [made.node("Cast", ["lengths"], ["real"], to=TensorProto.FLOAT), "axis"], ["n"])
    return made.node("Div", [total, counted], ["row"])


def _max(made: Builder, layers: int, directions: int) -> str:
    return made.node("ReduceMax", [_by_batch(made, layers)], ["row"], axes=[1], keepdims=0)


def _mean(made: Builder, layers: int, directions: int) -> str:
    return made.node("ReduceMean", [_by_batch(made, layers)], ["row"], axes=[1], keepdims=0)


_POOLINGS = {
    "final_states": _final,
    "swapped_halves": _swapped,
    "last_step": _step,
    "fourth_step": _fourth,
    "step_before_padding": _at_length,
    "max": _masked_max,
    "mean": _masked_mean,
    "padding_in_max": _max,
    "padding_in_mean": _mean,
}
