"""An encoder's weights to its ONNX graph. Knows nothing of how PyTorch names or orders a cell's tensors.

token_ids [batch, time] → Transpose → Gather → (Cast) → (linear) → LSTM or GRU (sequence_lens = lengths) …
h_n = Concat(Y_h of each layer)
embedding = last Y_h, [directions, batch, state] → [batch, directions·state], or pooled from the last Y; → (head)
"""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper

from bothends.model.architecture import EncoderConfig, Head

from .net import Net
from .pooling import pool
from .tensors import Weights, to_onnx

OPSET = 17
"""onnxruntime's CUDA provider registers every node used here at this version; newer ones may fall back to the CPU."""
_IR_VERSION = 8


def build(weights: Weights, config: EncoderConfig) -> onnx.ModelProto:
    """The graph of an encoder. The embedding table keeps its dtype, float32 or float16; all else is float32."""
    net = Net()
    below = _vectors(net, weights, config)
    finals = []
    for layer in range(config.layers):
        is_top = layer == config.layers - 1
        # Y is named only where it is read: onnxruntime then doesn't compute it.
        reads_steps = not is_top or config.pooling != "final_states"
        found = {name: net.constant(f"{name}{layer}", array) for name, array in to_onnx(weights, config, layer).items()}
        _cells(net, config, found, layer, below=below, reads_steps=reads_steps)
        finals.append(_final_states(net, config, found, layer))
        if reads_steps:
            below = _steps(net, found, layer)
    net.add("Concat", finals, "h_n", axis=0)
    pooled = "pooled" if config.head else "embedding"
    if config.pooling == "final_states":
        _joined_ends(net, finals[-1], pooled)
    else:
        pool(net, below, config.pooling, pooled)
    if config.head:
        _head(net, weights, config.head, pooled)
    return _model(net, config)


def _vectors(net: Net, weights: Weights, config: EncoderConfig) -> str:
    """Float32 [time, batch, input]."""
    net.add("Transpose", ["token_ids"], "token_ids_by_time", perm=[1, 0])
    table = weights["embedding.weight"]
    lookup = [net.constant("embedding.weight", table), "token_ids_by_time"]
    if table.dtype == np.float32:
        vectors = net.add("Gather", lookup, "vectors")
    else:
        vectors = net.add("Cast", [net.add("Gather", lookup, "stored_vectors")], "vectors", to=TensorProto.FLOAT)
    return _linear(net, weights, "input_projection", vectors, "inputs") if config.input_projection else vectors


def _linear(net: Net, weights: Weights, name: str, below: str, output: str) -> str:
    matrix = net.constant(f"{name}.weight.T", np.ascontiguousarray(weights[f"{name}.weight"].T))
    product = net.add("MatMul", [below, matrix], f"{output}_unbiased")
    return net.add("Add", [product, net.constant(f"{name}.bias", weights[f"{name}.bias"])], output)


def _cells(
    net: Net, config: EncoderConfig, found: Mapping[str, str], layer: int, *, below: str, reads_steps: bool
) -> None:
    """A layer's cells: `Y_h…` [directions, batch, hidden], and `Y…` [time, directions, batch, hidden] if it is read."""
    initial = [_for_each(net, found[name]) for name in ("h_0", "c_0") if name in found]
    attributes = {"linear_before_reset": 1} if config.cell == "gru" else {}  # as PyTorch and cuDNN have it
    net.add_many(
        config.cell.upper(),
        [below, found["W"], found["R"], found.get("B", ""), "lengths", *initial],
        [f"Y{layer}" if reads_steps else "", f"Y_h{layer}"],
        name=f"{config.cell}{layer}",
        direction="bidirectional" if config.bidirectional else "forward",
        hidden_size=config.hidden_size,
        **attributes,
    )


def _for_each(net: Net, state: str) -> str:
    """[directions, 1, hidden] for each sentence: [directions, batch, hidden]. Without Shape: it runs on CPUs only."""
    net.once("Cast", ["lengths"], "lengths_as_floats", to=TensorProto.FLOAT)
    net.once("Mul", ["lengths_as_floats", net.constant("nothing", np.zeros(1, dtype=np.float32))], "zeros")
    net.once("Reshape", ["zeros", net.constant("across", [1, -1, 1])], "zeros_across")
    return net.add("Add", [state, "zeros_across"], f"{state}_each")


def _steps(net: Net, found: Mapping[str, str], layer: int) -> str:
    """Every step's state, float32 [time, batch, directions·state], the input of what stands above."""
    by_batch = net.add("Transpose", [f"Y{layer}"], f"Y{layer}_by_batch", perm=[0, 2, 1, 3])
    joined = "states" if "P" not in found else "unprojected"
    steps = net.add("Reshape", [by_batch, net.constant("join_last_two", [0, 0, -1])], f"{joined}{layer}")
    return steps if "P" not in found else net.add("MatMul", [steps, found["P"]], f"states{layer}")


def _final_states(net: Net, config: EncoderConfig, found: Mapping[str, str], layer: int) -> str:
    """A layer's part of h_n, float32 [directions, batch, state]."""
    final = f"Y_h{layer}"
    if "P" not in found:
        return final
    ends = _joined_ends(net, final, f"unprojected_ends{layer}")
    projected = net.add("MatMul", [ends, found["P"]], f"ends{layer}")
    apart = net.constant("split_directions", [0, config.directions, config.state_size])
    return net.add(
        "Transpose", [net.add("Reshape", [projected, apart], f"ends{layer}_apart")], f"h{layer}", perm=[1, 0, 2]
    )


def _joined_ends(net: Net, final: str, output: str) -> str:
    """[directions, batch, state] → [batch, directions·state]."""
    by_batch = net.add("Transpose", [final], f"{final}_by_batch", perm=[1, 0, 2])
    return net.add("Reshape", [by_batch, net.constant("join_both_ends", [0, -1])], output)


def _head(net: Net, weights: Weights, head: Head, pooled: str) -> None:
    linear = _linear(net, weights, "head.linear", pooled, "embedding" if head.then == "none" else "linear")
    if head.then == "layer_norm":
        learned = [net.constant(name, weights[name]) for name in ("head.norm.weight", "head.norm.bias")]
        net.add("LayerNormalization", [linear, *learned], "embedding", axis=-1, epsilon=head.epsilon)
    elif head.then != "none":
        net.add({"tanh": "Tanh", "relu": "Relu"}[head.then], [linear], "embedding")


def _model(net: Net, config: EncoderConfig) -> onnx.ModelProto:
    inputs = [
        helper.make_tensor_value_info("token_ids", TensorProto.INT64, ["batch", "time"]),
        helper.make_tensor_value_info("lengths", TensorProto.INT32, ["batch"]),
    ]
    stacked = config.layers * config.directions
    outputs = [
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", config.dimension]),
        helper.make_tensor_value_info("h_n", TensorProto.FLOAT, [stacked, "batch", config.state_size]),
    ]
    return net.model(inputs, outputs, opset=OPSET, ir_version=_IR_VERSION)
