"""Rewrites the recurrent part of an examined ONNX encoder and keeps the rest. The result isn't proved yet.

What comes before the first recurrent layer and after the pooling is copied node by node; the cells and the pooling are
written from the weights, as `bothends export` would write them.
"""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper

from ..errors import DoctorError
from ..examine import Examination
from ..mistakes.recurrence import Array
from ..models.onnx import OnnxModel
from ..models.onnx_graph import Graph
from .recurrent_graph import RecurrentGraph


def rewrite(examined: Examination, model: OnnxModel) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """Return the repaired model, not proved yet, and its new inputs."""
    graph, found = model.graph, examined.found
    if found is None:
        raise ValueError("the embedding's place isn't known")
    made = RecurrentGraph(graph.opset)
    lengths, inputs, new_inputs = _lengths(made, model, examined.harness.layout.batch_axis)
    front, vectors = _front(made, model, examined)
    output, finals = made.recurrence(
        examined.true_stack, vectors, lengths, needs_output=examined.meant in ("max", "mean")
    )
    _pool(made, examined, model, output, finals, lengths)
    head = between(graph, {found.seen.where}, model.output.name)
    nodes = [*front, *made.nodes, *head]
    needed = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in graph.model.graph.initializer if tensor.name in needed]
    width = list(model.raw_shape(model.output.name, examined.harness))[1:]
    outputs = [helper.make_tensor_value_info(model.output.name, TensorProto.FLOAT, ["batch", *width])]
    whole = helper.make_graph(nodes, graph.model.graph.name or "repaired", inputs, outputs, [*kept, *made.initialisers])
    rewritten = helper.make_model(whole, opset_imports=graph.model.opset_import, producer_name="bothends doctor")
    rewritten.ir_version = max(graph.model.ir_version, 6)
    onnx.checker.check_model(rewritten, full_check=False)
    return rewritten, new_inputs


def _lengths(
    made: RecurrentGraph, model: OnnxModel, batch_axis: int
) -> tuple[str, list[onnx.ValueInfoProto], tuple[str, ...]]:
    """The tensor of lengths, int32 [batch]; all inputs of the model; and those that the old one didn't have."""
    order = ["batch", "time"] if batch_axis == 0 else ["time", "batch"]
    tokens = model.tokens
    rest = [] if model.vocabulary is not None else [model.features]
    inputs = [helper.make_tensor_value_info(tokens.name, _type(tokens.dtype), [*order, *rest])]
    if port := model.inputs.get("lengths"):
        inputs.append(helper.make_tensor_value_info(port.name, _type(port.dtype), ["batch"]))
        return made.add("Cast", [port.name], "doctor_lengths", to=TensorProto.INT32), inputs, ()
    if port := model.inputs.get("mask"):
        inputs.append(helper.make_tensor_value_info(port.name, _type(port.dtype), order))
        whole = made.add("Cast", [port.name], "doctor_mask", to=TensorProto.INT32)
        return made.over("ReduceSum", whole, 1 - batch_axis, "doctor_lengths", keepdims=0), inputs, ()
    taken = {name for node in model.graph.nodes for name in (*node.input, *node.output)}
    name = "lengths" if "lengths" not in taken else "doctor_lengths_given"
    inputs.append(helper.make_tensor_value_info(name, TensorProto.INT32, ["batch"]))
    return name, inputs, (f"{name} int32[batch]",)


def _type(dtype: str) -> int:
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def _front(made: RecurrentGraph, model: OnnxModel, examined: Examination) -> tuple[list[onnx.NodeProto], str]:
    """Nodes of the old graph to keep, and the tensor [time, batch, features] that the cells are to read."""
    harness, tokens = examined.harness, model.tokens.name
    batch = harness.batch(harness.size, harness.time)
    read = harness.vectors(batch)
    looked_up = batch.tokens if model.vocabulary is None else model.look_up(batch.tokens)
    if looked_up is not None and read.shape == looked_up.shape and np.array_equal(read, looked_up):
        by_time = tokens
        if harness.layout.batch_axis == 0:
            perm = [1, 0] if model.vocabulary is not None else [1, 0, 2]
            by_time = made.add("Transpose", [tokens], "doctor_by_time", perm=perm)
        if model.table is None:
            return [], by_time
        constant = [node for node in model.graph.nodes if model.table in node.output]
        vectors = made.add("Gather", [model.table, by_time], "doctor_vectors", axis=0)
        return constant, made.add("Cast", [vectors], "doctor_vectors_real", to=TensorProto.FLOAT)
    x = str(model.layers[0][0].input("X"))
    lengths = [port.name for port in model.about.inputs if port.role in ("lengths", "mask")]
    if x in model.graph.reached(lengths):
        raise DoctorError(
            "it can't be repaired: what its cells read is sorted by lengths, or masked; nothing was written"
        )
    return between(model.graph, set(), x), x


def between(graph: Graph, starts: set[str], end: str) -> list[onnx.NodeProto]:
    """Return the nodes that `end` needs, following inputs back to `starts` only."""
    needed, chosen = {end} - starts, []
    for node in reversed(graph.nodes):
        if needed.intersection(node.output):
            chosen.append(node)
            needed.update(name for name in node.input if name and name not in starts)
    return chosen[::-1]


def _pool(
    made: RecurrentGraph, examined: Examination, model: OnnxModel, output: str, finals: list[str], lengths: str
) -> None:
    """The right pooling as the tensor that the head reads, in the shape that it has there."""
    found = examined.found
    if found is None:
        raise ValueError("the embedding's place isn't known")
    shape = model.raw_shape(found.seen.where, examined.harness)
    size = examined.harness.layout.batch or examined.harness.size
    if len(shape) == 2 and shape[0] == size:
        made.pool(examined.meant, output, finals, lengths, found.seen.where)
        return
    made.pool(examined.meant, output, finals, lengths, "doctor_rows")
    if size not in shape:
        raise DoctorError("it can't be repaired: the embedding has an unusual layout in it; nothing was written")
    turned = [-1 if index == shape.index(size) else axis for index, axis in enumerate(shape)]
    made.add("Reshape", ["doctor_rows", made.constant("layout", turned)], found.seen.where)


def head_of(before: Examination, *, output: str | None = None) -> Callable[[Array], Array]:
    """Return the old file's own nodes after the pooling as a function of rows, ending at the tensor `output` if
    given.
    """
    model, found = before.model, before.found
    if found is None or not isinstance(model, OnnxModel) or found.seen.where == model.output.name:
        return lambda rows: rows
    end = output or model.output.name
    nodes = between(model.graph, {found.seen.where}, end)
    shape = model.raw_shape(found.seen.where, before.harness)
    alone = onnx.ModelProto()
    alone.CopyFrom(model.graph.model)
    del alone.graph.node[:], alone.graph.input[:]
    alone.graph.node.extend(nodes)
    alone.graph.input.append(helper.make_tensor_value_info(found.seen.where, TensorProto.FLOAT, [None] * len(shape)))
    graph = Graph(alone)

    at = shape.index(before.harness.layout.batch or before.harness.size)

    def apply(rows: Array) -> Array:
        turned = rows.reshape([len(rows) if index == at else axis for index, axis in enumerate(shape)])
        (made,) = graph.values([end], {found.seen.where: turned})
        return np.asarray(made, dtype=np.float32).reshape(len(rows), -1)

    return apply
