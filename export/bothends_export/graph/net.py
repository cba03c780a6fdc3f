"""Nodes and constants, one by one, to an ONNX model that is checked. Knows nothing of encoders."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


class Net:
    """A graph that grows from its inputs to its outputs."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """A node of one output; returns the output's name."""
        self.add_many(operator, inputs, [output], **attributes)
        return output

    def once(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """As `add`, of a node that several may ask for."""
        if not any(output in node.output for node in self._nodes):
            self.add(operator, inputs, output, **attributes)
        return output

    def add_many(self, operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> None:
        """A node; an empty name stands for an input or output that isn't there."""
        self._nodes.append(helper.make_node(operator, inputs, outputs, **attributes))

    def constant(self, name: str, values: NDArray[Any] | Sequence[int]) -> str:
        """Numbers that the graph holds, kept once a name; integers become int64. Returns the name."""
        if name not in self._constants:
            array = values if isinstance(values, np.ndarray) else np.array(values, dtype=np.int64)
            self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def model(
        self, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto], *, opset: int, ir_version: int
    ) -> onnx.ModelProto:
        """All of it. Raises onnx.checker.ValidationError where it doesn't fit together."""
        graph = helper.make_graph(self._nodes, "bothends", inputs, outputs, list(self._constants.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], producer_name="bothends")
        model.ir_version = ir_version
        onnx.checker.check_model(model, full_check=True)
        return model
