"""An encoder's weights to an ONNX graph, written node by node, and back. Knows nothing of files or PyTorch's exporter.

PyTorch's own exporters lose `sequence_lens` or freeze an axis, so that padding leaks into the backward state.
"""

from .build import OPSET, build, node_protos
from .lift import weights_of
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
