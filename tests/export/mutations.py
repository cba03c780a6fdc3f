"""Graphs that are wrong in known ways, with hashes that are right: only their numbers can show it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from bothends.model import bundle
from bothends.model.bundle import Bundle

Mutation = Callable[[onnx.ModelProto], None]


def lstm(model: onnx.ModelProto) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.op_type == "LSTM")


def gates_in_torch_order(model: onnx.ModelProto) -> None:
    """Put gates i, o, f, c back into i, f, g, o: the graph that a copied weight gives."""
    for tensor in model.graph.initializer:
        if tensor.name in ("W0", "R0", "B0"):
            array = numpy_helper.to_array(tensor)
            axis = 1
            blocks = np.split(array, array.shape[1] // 16, axis=axis)
            order = [0, 2, 3, 1] if tensor.name != "B0" else [0, 2, 3, 1, 4, 6, 7, 5]
            tensor.CopyFrom(numpy_helper.from_array(np.concatenate([blocks[i] for i in order], axis=axis), tensor.name))


def without_sequence_lens(model: onnx.ModelProto) -> None:
    """Padding is read as if it were words."""
    lstm(model).input[4] = ""
    # the input must stay in use, or the graph isn't the contract's any more
    model.graph.node.append(helper.make_node("Cast", ["lengths"], ["unused"], to=onnx.TensorProto.FLOAT))


def one_token_less(model: onnx.ModelProto) -> None:
    """The last token isn't read."""
    model.graph.initializer.append(numpy_helper.from_array(-np.ones(1, dtype=np.int32), "less"))
    lstm(model).input[4] = "one_less"
    model.graph.node.insert(0, helper.make_node("Add", ["lengths", "less"], ["one_less"]))


def last_step_of_y(model: onnx.ModelProto) -> None:
    """output[-1]: the last step's Y instead of Y_h."""
    node = lstm(model)
    node.output[0] = "Y"
    node.output[1] = ""
    last = numpy_helper.from_array(np.array(-1, dtype=np.int64), "last")
    model.graph.initializer.append(last)
    index = list(model.graph.node).index(node)
    model.graph.node.insert(index + 1, helper.make_node("Gather", ["Y", "last"], ["Y_h0"]))


def read_directions(model: onnx.ModelProto, order: list[int], *, output: str) -> None:
    """Make the node of `output` read Y_h's directions in another order."""
    model.graph.initializer.append(numpy_helper.from_array(np.array(order, dtype=np.int64), "order"))
    reader = next(node for node in model.graph.node if output in node.output)
    index = list(model.graph.node).index(reader)
    reader.input[0] = "reordered"
    model.graph.node.insert(index, helper.make_node("Gather", ["Y_h0", "order"], ["reordered"]))


def swapped_halves(model: onnx.ModelProto) -> None:
    """Backward first, then forward."""
    read_directions(model, [1, 0], output="Y_h0_by_batch")


def h_n_of_one_direction_twice(model: onnx.ModelProto) -> None:
    """The embedding is right, h_n isn't."""
    read_directions(model, [0, 0], output="h_n")


def padding_in_the_pool(model: onnx.ModelProto) -> None:
    """Every step counts, those of padding too."""
    kept = next(node for node in model.graph.node if node.op_type == "Where")
    reader = next(node for node in model.graph.node if kept.output[0] in node.input)
    reader.input[0] = kept.input[1]


def first_step_as_last(model: onnx.ModelProto) -> None:
    """output[0] where output[-1] is to be read."""
    compared = next(node for node in model.graph.node if node.op_type == "Equal" and "lengths" in node.input)
    model.graph.initializer.append(numpy_helper.from_array(np.ones(1, dtype=np.int32), "one"))
    compared.input[1] = "one"


def no_initial_states(model: onnx.ModelProto) -> None:
    """Zeros, as where none were learned."""
    del lstm(model).input[5:]


def mutated(original: Bundle, folder: Path, mutation: Mutation) -> Bundle:
    """A bundle whose graph is wrong and whose hashes are right: only its numbers can tell."""
    model = onnx.load_from_string(original.model)
    mutation(model)
    onnx.checker.check_model(model, full_check=True)
    path = folder / mutation.__name__
    config = original.config.model_dump(exclude={"sha256"})
    bundle.write(
        path,
        config=config,
        model=model.SerializeToString(),
        tokenizer=original.tokenizer,
        golden=original.golden,
        card="",
    )
    return Bundle.open(path)
