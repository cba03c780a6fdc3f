"""Builds an encoder's ONNX model from its weights, as described by `bothends.model.graph`, and reads them back."""

from typing import Any

import onnx
from onnx import TensorProto, helper, numpy_helper

from bothends.model.architecture import EncoderConfig
from bothends.model.graph import INPUTS, OUTPUTS, TABLE, encoder_graph, layer_tensors
from bothends.model.nodes import Graph

from .tensors import SCORES, Array, Weights, initial_to_torch, linear_names, named_as_in_graph, norm_names, to_torch

OPSET = 17
"""Version of ONNX's operators. onnxruntime's CUDA provider registers every node used here at this version; newer ones
may fall back to the CPU."""
_IR_VERSION = 8


def build(weights: Weights, config: EncoderConfig) -> onnx.ModelProto:
    """Return the ONNX model of an encoder. The embedding table keeps its dtype, float32 or float16; all else is
    float32.

    Raises onnx.checker.ValidationError if it is inconsistent.
    """
    graph = encoder_graph(config, half_table=weights[TABLE].dtype == "float16")
    model = helper.make_model(
        helper.make_graph(
            node_protos(graph), "bothends", _inputs(), _outputs(config), _numbers(graph, weights, config)
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="bothends",
    )
    model.ir_version = _IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model


def weights_of(model: onnx.ModelProto, config: EncoderConfig) -> dict[str, Array]:
    """Return the weights that `build` was given, read back from its graph. Raises ValueError if it is no such graph.

    The weight_hh of a projected LSTM is restored to float32 precision; all else exactly.
    """
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    try:
        layers = [{name: arrays[f"{name}{layer}"] for name in layer_tensors(config)} for layer in range(config.layers)]
        weights = {TABLE: arrays[TABLE]}
        for name in linear_names(config):
            weights[f"{name}.weight"] = arrays[f"{name}.weight.T"].T
            weights[f"{name}.bias"] = arrays[f"{name}.bias"]
        if config.attention:
            weights[SCORES] = arrays[f"{SCORES}.T"].T
        weights |= {name: arrays[name] for name in norm_names(config)}
        for layer, found in enumerate(layers):
            weights |= to_torch(found, config, layer)
        if config.learned_initial_states:
            weights |= initial_to_torch(layers, config)
    except (KeyError, IndexError) as error:
        raise ValueError(f"the graph has no initializer {error}") from error
    return weights


def node_protos(graph: Graph) -> list[onnx.NodeProto]:
    """Return the nodes of a graph as ONNX protos."""
    return [
        helper.make_node(node.operator, node.inputs, node.outputs, node.name or None, **dict[str, Any](node.attributes))
        for node in graph.nodes
    ]


def _numbers(graph: Graph, weights: Weights, config: EncoderConfig) -> list[onnx.TensorProto]:
    """Every number that the nodes read, in the order in which they do."""
    held = {**named_as_in_graph(weights, config), **graph.constants}
    read = dict.fromkeys(name for node in graph.nodes for name in node.inputs if name in held)
    return [numpy_helper.from_array(held[name], name) for name in read]


def _inputs() -> list[onnx.ValueInfoProto]:
    token_ids, lengths = INPUTS
    return [
        helper.make_tensor_value_info(token_ids, TensorProto.INT64, ["batch", "time"]),
        helper.make_tensor_value_info(lengths, TensorProto.INT32, ["batch"]),
    ]


def _outputs(config: EncoderConfig) -> list[onnx.ValueInfoProto]:
    embedding, h_n = OUTPUTS
    return [
        helper.make_tensor_value_info(embedding, TensorProto.FLOAT, ["batch", config.dimension]),
        helper.make_tensor_value_info(h_n, TensorProto.FLOAT, [config.final_state_count, "batch", config.state_size]),
    ]
