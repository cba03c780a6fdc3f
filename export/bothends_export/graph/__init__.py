"""Writes an encoder's weights as an ONNX graph, node by node, and reads them back.

PyTorch's own exporters lose `sequence_lens` or freeze an axis, so that padding leaks into the backward state.
"""

from .build import OPSET, build, node_protos, weights_of
from .tensors import ONNX_TO_TORCH, TORCH_TO_ONNX, Weights, cell_tensors, reorder

__all__ = [
    "ONNX_TO_TORCH",
    "OPSET",
    "TORCH_TO_ONNX",
    "Weights",
    "build",
    "cell_tensors",
    "node_protos",
    "reorder",
    "weights_of",
]
