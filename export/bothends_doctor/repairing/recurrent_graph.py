"""Writes a stack of cells as ONNX nodes that take vectors and lengths and compute the correct embedding.

All its tensors are named doctor_…, and work from opset 11 on. Its pooling differs from `bothends.model.graph`'s, which
needs opset 17 and avoids nodes that run on CPUs only.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from bothends.model.nodes import Graph
from bothends_export.graph import cell_tensors, node_protos

from ..mistakes.recurrence import Direction, Stack

POOLINGS = ("final_states", "all_layers", "max", "mean")
MIN_OPSET = 11
"""Oldest version of the operators that will do: Range came with it."""
_AXES_ARE_INPUTS = {"ReduceSum": 13, "ReduceMax": 18, "Unsqueeze": 13}


class RecurrentGraph:
    """Graph of recurrent layers and pooling that is built node by node."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self._graph = Graph()

    @property
    def nodes(self) -> list[onnx.NodeProto]:
        """Nodes so far, in the order in which they run."""
        return node_protos(self._graph)

    @property
    def initialisers(self) -> list[onnx.TensorProto]:
        """Constant tensors that the nodes read."""
        return [numpy_helper.from_array(array, name) for name, array in self._graph.constants.items()]

    def add(self, kind: str, inputs: Sequence[str], *outputs: str, **attributes: Any) -> str:
        """Add a node. Returns the name of its last output."""
        return self._graph.add(kind, inputs, *outputs, **attributes)

    def constant(self, name: str, values: Any, dtype: Any = np.int64) -> str:
        """Add a constant under a name, unless it exists. Returns the name, with its prefix."""
        return self._graph.constant(f"doctor_{name}", np.asarray(values, dtype=dtype))

    def over(self, kind: str, tensor: str, axis: int, output: str, **attributes: Any) -> str:
        """Add a node of this `kind` that works on `tensor` along `axis`, which is an input or an attribute according to
        the opset. Returns `output`, the name of what it makes.
        """
        if self.opset >= _AXES_ARE_INPUTS[kind]:
            return self.add(kind, [tensor, self.constant(f"axis_{axis}", [axis])], output, **attributes)
        return self.add(kind, [tensor], output, axes=[axis], **attributes)

    def recurrence(self, stack: Stack, vectors: str, lengths: str, *, needs_output: bool) -> tuple[str, list[str]]:
        """Add LSTM or GRU nodes over `vectors` [time, batch, input], which stop at `lengths` int32 [batch].

        Returns the names of the top layer's Y as [time, batch, directions·state], and of each layer's Y_h.
        """
        below, finals = vectors, []
        for number, layer in enumerate(stack.layers):
            uses_output = needs_output or number < len(stack.layers) - 1
            finals.append(self._layer(stack, layer, number, below, lengths, uses_output=uses_output))
            if uses_output:
                turned = self.add("Transpose", [f"doctor_Y{number}"], f"doctor_Y{number}_turned", perm=[0, 2, 1, 3])
                below = self.add("Reshape", [turned, self.constant("join", [0, 0, -1])], f"doctor_output{number}")
        return below, finals

    def _layer(
        self, stack: Stack, layer: tuple[Direction, ...], number: int, below: str, lengths: str, *, uses_output: bool
    ) -> str:
        kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        directions = [{kind: getattr(one, kind) for kind in kinds} for one in layer]
        hidden_size = stack.hidden_sizes[number]
        tensors = cell_tensors(directions, stack.cell, hidden_size)
        weights = [self.constant(f"{name}{number}", array, np.float32) for name, array in tensors.items()]
        attributes: dict[str, Any] = {"hidden_size": hidden_size}
        attributes["direction"] = "bidirectional" if len(layer) == 2 else "forward"
        if stack.cell == "gru":
            attributes["linear_before_reset"] = int(stack.linear_before_reset)
        initial = [
            self._initial(layer, number, name, lengths) for name in ("h_0", "c_0")[: 2 if stack.cell == "lstm" else 1]
        ]
        outputs = [f"doctor_Y{number}" if uses_output else "", f"doctor_Y_h{number}"]
        inputs = [below, *weights, lengths, *(initial if any(initial) else [])]
        self.add(stack.cell.upper(), inputs, *outputs, **attributes)
        return outputs[1]

    def _initial(self, layer: tuple[Direction, ...], number: int, name: str, lengths: str) -> str:
        rows = [getattr(one, name) for one in layer]
        if all(row is None for row in rows):
            return ""
        size = next(len(row) for row in rows if row is not None)
        made = np.stack([np.zeros(size, np.float32) if row is None else row for row in rows])[:, None]
        batch = self.add("Shape", [lengths], f"doctor_batch_{name}{number}")
        parts = [self.constant(f"count{len(layer)}", [len(layer)]), batch, self.constant(f"size{size}", [size])]
        shape = self.add("Concat", parts, f"doctor_shape_{name}{number}", axis=0)
        return self.add(
            "Expand", [self.constant(f"{name}{number}", made, np.float32), shape], f"doctor_initial_{name}{number}"
        )

    def pool(self, key: str, output: str, finals: Sequence[str], lengths: str, result: str) -> None:
        """Add one of POOLINGS, the one with this `key`, which computes the tensor `result` [batch, k].

        `output` names the top layer's Y [time, batch, directions·state], `finals` each layer's Y_h, as `recurrence`
        returns them; `lengths` names an int32 [batch].
        """
        if key in ("final_states", "all_layers"):
            last = finals[-1]
            if key == "all_layers" and len(finals) > 1:
                last = self.add("Concat", finals, "doctor_h_n", axis=0)
            turned = self.add("Transpose", [last], "doctor_ends", perm=[1, 0, 2])
            self.add("Reshape", [turned, self.constant("join_ends", [0, -1])], result)
            return
        by_batch = self.add("Transpose", [output], "doctor_by_batch", perm=[1, 0, 2])
        outside = self.constant("outside", -np.inf if key == "max" else 0.0, np.float32)
        kept = self.add("Where", [self._counts(output, lengths), by_batch, outside], "doctor_kept")
        if key == "max":
            self.over("ReduceMax", kept, 1, result, keepdims=0)
            return
        total = self.over("ReduceSum", kept, 1, "doctor_total", keepdims=0)
        real = self.add("Cast", [lengths], "doctor_lengths_real", to=TensorProto.FLOAT)
        self.add("Div", [total, self.over("Unsqueeze", real, 1, "doctor_divisor")], result)

    def _counts(self, output: str, lengths: str) -> str:
        """Mask of the steps that are of the sentence, bool [batch, time, 1]."""
        shape = self.add("Shape", [output], "doctor_shape")
        time = self.add("Gather", [shape, self.constant("zero", 0)], "doctor_time", axis=0)
        steps = self.add("Range", [self.constant("zero", 0), time, self.constant("one", 1)], "doctor_steps")
        long = self.add("Cast", [lengths], "doctor_lengths_long", to=TensorProto.INT64)
        counts = self.add("Less", [steps, self.over("Unsqueeze", long, 1, "doctor_ends_long")], "doctor_counts")
        return self.over("Unsqueeze", counts, 2, "doctor_counts_of_all")
