"""Builds an encoder's ONNX model from its weights, in the form that `bothends.model.graph` describes."""

from typing import Any

import onnx
from onnx import TensorProto, helper, numpy_helper

from bothends.model.architecture import EncoderConfig
from bothends.model.graph import INPUTS, OUTPUTS, TABLE, Graph, encoder_graph

from .tensors import Weights, named_as_in_graph

OPSET = 17
"""Version of ONNX's operators. onnxruntime's CUDA provider registers every node used here at this version; newer ones
may fall back to the CPU."""
_IR_VERSION = 8


def build(weights: Weights, config: EncoderConfig) -> onnx.ModelProto:
    """The graph of an encoder. The embedding table keeps its dtype, float32 or float16; all else is float32.

    Raises onnx.checker.ValidationError where it doesn't fit together.
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


def node_protos(graph: Graph) -> list[onnx.NodeProto]:
    """Nodes of a graph as ONNX has them."""
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
    stacked = config.layers * config.directions
    return [
        helper.make_tensor_value_info(embedding, TensorProto.FLOAT, ["batch", config.dimension]),
        helper.make_tensor_value_info(h_n, TensorProto.FLOAT, [stacked, "batch", config.state_size]),
    ]
