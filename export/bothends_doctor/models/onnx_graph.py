"""ONNX file in memory, and the value of any of its tensors for given inputs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import external_data_helper, helper, numpy_helper

from bothends.text import printable

from ..errors import DoctorError, RunFailedError
from .model import Port

BY_VALUE_FREE = ("Shape", "Size")
"""Operators whose result depends on an input's shape, but not on what is in it."""
_MAX_FROZEN = 4096


def load(path: Path) -> onnx.ModelProto:
    """Load the model, with external data only from its own folder. Raises DoctorError."""
    try:
        model = onnx.load(str(path), format="protobuf", load_external_data=False)
    except DecodeError:
        raise DoctorError(f"{path} is no ONNX model: malformed protobuf") from None
    if not model.graph.node:
        raise DoctorError(f"{path} is no ONNX model: it has no nodes")
    _read_external(model, path)
    if model.functions:
        from onnx import inliner

        model = inliner.inline_local_functions(model)
    return model


def _read_external(model: onnx.ModelProto, path: Path) -> None:
    """Weights in other files: inside the model's folder only, whatever the model says."""
    folder = path.parent.resolve()
    outside = [tensor for tensor in _tensors(model.graph) if external_data_helper.uses_external_data(tensor)]
    for tensor in outside:
        named = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        file = (folder / named).resolve()
        if not file.is_relative_to(folder):
            raise DoctorError(
                f"{path}: the tensor {printable(tensor.name)} is to be read from {printable(named)}, outside of the "
                "model's folder; that isn't done"
            )
        if not file.is_file():
            raise DoctorError(
                f"{path}: the file {printable(named)} with the weights of {printable(tensor.name)} is missing; put it "
                "beside the model"
            )
    for tensor in outside:
        try:
            external_data_helper.load_external_data_for_tensor(tensor, str(folder))
        except (onnx.checker.ValidationError, ValueError, OSError) as error:
            raise DoctorError(
                f"{path}: the weights of {printable(tensor.name)} can't be read: {printable(error)}"
            ) from error
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("g"):
                yield from _tensors(attribute.g)


def ports(values: Iterable[onnx.ValueInfoProto]) -> tuple[Port, ...]:
    """Return the inputs or outputs of a graph as its file declares them."""
    return tuple(_port(value) for value in values)


def _port(value: onnx.ValueInfoProto) -> Port:
    kind = value.type.tensor_type
    try:
        dtype = str(helper.tensor_dtype_to_np_dtype(kind.elem_type))
    except KeyError:
        dtype = "no tensor"
    if not kind.HasField("shape"):
        return Port(value.name, dtype, None)
    axes = [
        axis.dim_value if axis.HasField("dim_value") else (printable(axis.dim_param) or None) for axis in kind.shape.dim
    ]
    return Port(value.name, dtype, tuple(axes))


class Graph:
    """Graph of a model: which node makes a tensor, which nodes need it, and the tensors' values."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.nodes = list(model.graph.node)
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        for node in self.nodes:
            if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
                self.constants[node.output[0]] = node.attribute[0].t
        self.inputs = [value for value in model.graph.input if value.name not in self.constants]
        self.taps: tuple[str, ...] = ()
        """Tensors that will be asked for often: one session gives them all."""
        self._sessions: dict[tuple[str, ...], Any] = {}

    @property
    def opset(self) -> int:
        """Version of ONNX's own operators."""
        return max((entry.version for entry in self.model.opset_import if not entry.domain), default=1)

    def reached(self, start: Iterable[str], *, without: str | None = None) -> set[str]:
        """Return the tensors that depend on those of `start`; paths through `without` are ignored."""
        found = {name for name in start if name != without}
        for node in self.nodes:  # in topological order, as ONNX demands
            if node.op_type not in BY_VALUE_FREE and found.intersection(_reads(node)):
                found.update(name for name in node.output if name and name != without)
        return found

    def needed(self, end: str) -> set[str]:
        """Return the tensors that `end` depends on, including itself."""
        found = {end}
        for node in reversed(self.nodes):
            if found.intersection(node.output) and node.op_type not in BY_VALUE_FREE:
                found.update(name for name in _reads(node) if name)
        return found

    def integers(self) -> Iterator[int]:
        """Yield the small integers among its constants, any of which might be a frozen size."""
        for tensor in self.constants.values():
            if tensor.data_type in (onnx.TensorProto.INT64, onnx.TensorProto.INT32) and np.prod(tensor.dims) < 64:
                yield from (size for size in tensor.dims if size > 1)  # say of lengths that are stored
                yield from (int(number) for number in numpy_helper.to_array(tensor).ravel() if 0 < number < _MAX_FROZEN)
            elif tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 3 and np.prod(tensor.dims) > 1:
                yield int(tensor.dims[1])  # [directions, batch, hidden] of an initial state
            elif tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims) == 1:
                number = float(numpy_helper.to_array(tensor).ravel()[0])  # say the divisor of a mean
                yield from [int(number)] if 0 < number < _MAX_FROZEN and number.is_integer() else []

    def values(self, names: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return the values of these tensors. Raises RunFailedError."""
        key = self.taps if set(names) <= set(self.taps) else tuple(names)
        try:
            if key not in self._sessions:
                self._sessions[key] = _session(with_outputs(self.model, key))
            values: list[NDArray[Any]] = self._sessions[key].run(list(names), dict(feeds))
        except Exception as error:  # onnxruntime's exceptions have no common base but this
            raise RunFailedError(printable(str(error).strip().split("\n")[0])) from error
        return values


def _reads(node: onnx.NodeProto) -> list[str]:
    """Names that a node reads, also in graphs inside it."""
    names = list(node.input)
    for attribute in node.attribute:
        if attribute.HasField("g"):
            names += [name for inner in attribute.g.node for name in _reads(inner)]
    return names


def with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Return a copy of the model whose only outputs are the named tensors; each may be any intermediate tensor of the
    graph.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    declared = {value.name: value for value in model.graph.output}
    del copy.graph.output[:], copy.graph.value_info[:]
    copy.graph.output.extend(declared.get(name) or helper.make_empty_tensor_value_info(name) for name in names)
    return copy


def _session(model: onnx.ModelProto) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
