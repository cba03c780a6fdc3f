"""An encoder's weights to an ONNX graph, written node by node, and back. Knows nothing of files or PyTorch's exporter.

    token_ids [batch, time] → Transpose → Gather → (Cast) → LSTM(sequence_lens = lengths) … → Y_h
    h_n = Concat(Y_h of each layer)        embedding = last Y_h, [2, batch, hidden] → [batch, 2·hidden]

PyTorch's own exporters lose `sequence_lens` or freeze an axis, so that padding leaks into the backward state.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from .encoder import EncoderConfig

Weights = Mapping[str, NDArray[np.floating[Any]]]
"""An encoder's state dict as arrays: `embedding.weight`, `lstm.weight_ih_l0`, `lstm.weight_ih_l0_reverse`, …"""

OPSET = 17
"""onnxruntime's CUDA provider registers every node used here at this version; newer ones may fall back to the CPU."""
_IR_VERSION = 8

_TORCH_TO_ONNX = (0, 3, 1, 2)
"""PyTorch stacks the gates i, f, g, o; ONNX wants i, o, f, c (its c is PyTorch's g)."""
_ONNX_TO_TORCH = (0, 2, 3, 1)
_DIRECTIONS = ("", "_reverse")


def build(weights: Weights, config: EncoderConfig) -> onnx.ModelProto:
    """The graph of an encoder. The embedding table keeps its dtype, float32 or float16; all else is float32."""
    nodes = [helper.make_node("Transpose", ["token_ids"], ["token_ids_by_time"], perm=[1, 0])]
    initializers = [numpy_helper.from_array(weights["embedding.weight"], "embedding.weight")]
    nodes += _lookup(weights["embedding.weight"].dtype)
    below = "vectors"
    for layer in range(config.layers):
        is_top = layer == config.layers - 1
        initializers += _layer_weights(weights, layer, config.hidden_size)
        # Y is named only where a layer above reads it: onnxruntime then doesn't compute it for the top layer.
        nodes.append(
            helper.make_node(
                "LSTM",
                [below, f"W{layer}", f"R{layer}", f"B{layer}", "lengths"],
                ["" if is_top else f"Y{layer}", f"Y_h{layer}"],
                name=f"lstm{layer}",
                direction="bidirectional",
                hidden_size=config.hidden_size,
            )
        )
        if not is_top:  # [time, 2, batch, hidden] → [time, batch, 2·hidden], the input of the layer above
            nodes.append(helper.make_node("Transpose", [f"Y{layer}"], [f"Y{layer}_by_batch"], perm=[0, 2, 1, 3]))
            nodes.append(helper.make_node("Reshape", [f"Y{layer}_by_batch", "join_last_two"], [f"states{layer}"]))
            below = f"states{layer}"
    if config.layers > 1:
        initializers.append(numpy_helper.from_array(np.array([0, 0, -1], dtype=np.int64), "join_last_two"))
    nodes += _outputs(config.layers)
    initializers.append(numpy_helper.from_array(np.array([0, -1], dtype=np.int64), "join_both_ends"))
    return _model(nodes, initializers, config)


def _lookup(dtype: np.dtype[Any]) -> list[onnx.NodeProto]:
    if dtype == np.float32:
        return [helper.make_node("Gather", ["embedding.weight", "token_ids_by_time"], ["vectors"])]
    return [
        helper.make_node("Gather", ["embedding.weight", "token_ids_by_time"], ["stored_vectors"]),
        helper.make_node("Cast", ["stored_vectors"], ["vectors"], to=TensorProto.FLOAT),
    ]


def _layer_weights(weights: Weights, layer: int, hidden_size: int) -> list[onnx.TensorProto]:
    """W [2, 4·hidden, input], R [2, 4·hidden, hidden] and B [2, 8·hidden] of a layer, gates in ONNX's order."""

    def both(name: str) -> list[NDArray[np.floating[Any]]]:
        arrays = [weights[f"lstm.{name}_l{layer}{direction}"] for direction in _DIRECTIONS]
        return [reorder(array, _TORCH_TO_ONNX, hidden_size) for array in arrays]

    biases = [np.concatenate(pair) for pair in zip(both("bias_ih"), both("bias_hh"), strict=True)]
    return [
        numpy_helper.from_array(np.stack(both("weight_ih")), f"W{layer}"),
        numpy_helper.from_array(np.stack(both("weight_hh")), f"R{layer}"),
        numpy_helper.from_array(np.stack(biases), f"B{layer}"),
    ]


def reorder(array: NDArray[np.floating[Any]], order: Sequence[int], hidden_size: int) -> NDArray[np.floating[Any]]:
    """The four gates' blocks of `hidden_size` rows of `array`, in another order."""
    return np.concatenate([array[gate * hidden_size : (gate + 1) * hidden_size] for gate in order])


def _outputs(layers: int) -> list[onnx.NodeProto]:
    finals = [f"Y_h{layer}" for layer in range(layers)]
    return [
        helper.make_node("Concat", finals, ["h_n"], axis=0),
        helper.make_node("Transpose", [finals[-1]], ["ends_by_batch"], perm=[1, 0, 2]),
        helper.make_node("Reshape", ["ends_by_batch", "join_both_ends"], ["embedding"]),
    ]


def _model(nodes: list[onnx.NodeProto], initializers: list[onnx.TensorProto], config: EncoderConfig) -> onnx.ModelProto:
    inputs = [
        helper.make_tensor_value_info("token_ids", TensorProto.INT64, ["batch", "time"]),
        helper.make_tensor_value_info("lengths", TensorProto.INT32, ["batch"]),
    ]
    outputs = [
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", config.dimension]),
        helper.make_tensor_value_info("h_n", TensorProto.FLOAT, [2 * config.layers, "batch", config.hidden_size]),
    ]
    graph = helper.make_graph(nodes, "bothends", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="bothends")
    model.ir_version = _IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model


def weights_of(model: onnx.ModelProto, config: EncoderConfig) -> dict[str, NDArray[np.floating[Any]]]:
    """The weights that `build` was given, lifted from its graph. Raises ValueError if it is no such graph."""
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    try:
        weights = {"embedding.weight": arrays["embedding.weight"]}
        for layer in range(config.layers):
            for place, direction in enumerate(_DIRECTIONS):
                end = f"_l{layer}{direction}"
                bias_ih, bias_hh = np.split(arrays[f"B{layer}"][place], 2)
                lifted = {
                    "weight_ih": arrays[f"W{layer}"][place],
                    "weight_hh": arrays[f"R{layer}"][place],
                    "bias_ih": bias_ih,
                    "bias_hh": bias_hh,
                }
                for name, array in lifted.items():
                    weights[f"lstm.{name}{end}"] = reorder(array, _ONNX_TO_TORCH, config.hidden_size)
    except (KeyError, IndexError) as error:
        raise ValueError(f"the graph has no initializer {error}") from error
    return weights
