"""The native engine reads the weights of a bundle that `onnx` reads, and none where the encoder is another."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from bothends.engines.onnx_weights import read
from bothends.errors import BundleError
from bothends.model.bundle import Bundle


def arrays(bundle: Bundle) -> dict[str, np.ndarray]:
    """Every tensor that the file holds, by name."""
    return {
        tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load_from_string(bundle.model).graph.initializer
    }


@pytest.mark.parametrize("dtype", [np.float16, np.float32], ids=str)
@pytest.mark.parametrize("layers", [1, 3])
def test_numbers_are_the_files(make_bundle: Callable[..., Bundle], layers: int, dtype: type[np.floating[Any]]) -> None:
    bundle = make_bundle(layers=layers, dtype=dtype)
    held, found = arrays(bundle), read(bundle)
    assert found.table.dtype == held["embedding.weight"].dtype
    assert np.array_equal(found.table, held["embedding.weight"])
    assert len(found.layers) == layers
    for layer, weights in enumerate(found.layers):
        assert all(np.array_equal(weights[name], held[f"{name}{layer}"]) for name in ("W", "R", "B"))


def test_what_passes_between_nodes_may_have_any_name(make_bundle: Callable[..., Bundle]) -> None:
    """Exporters of other versions call it otherwise; the packaged model's was one."""
    bundle = make_bundle(layers=2)
    model = onnx.load_from_string(bundle.model)
    between = {name for node in model.graph.node for name in node.output} - {"", "embedding", "h_n"}
    assert len(between) > 5
    for node in model.graph.node:
        node.input[:] = [f"x_{name}" if name in between else name for name in node.input]
        node.output[:] = [f"x_{name}" if name in between else name for name in node.output]
    assert np.array_equal(
        read(replace(bundle, model=model.SerializeToString())).layers[1]["R"], read(bundle).layers[1]["R"]
    )


def test_the_packaged_model_is_read(english: Bundle) -> None:
    assert read(english).table.shape == (30_522, 256)


def swapped_layers(model: onnx.ModelProto) -> None:
    first, second = (node for node in model.graph.node if node.op_type == "LSTM")
    first.input[1], second.input[1] = second.input[1], first.input[1]


def swapped_halves(model: onnx.ModelProto) -> None:
    """h_n's layers the other way round: what stands last isn't the top layer's."""
    concat = next(node for node in model.graph.node if node.op_type == "Concat")
    concat.input[:] = list(concat.input)[::-1]


def one_way(model: onnx.ModelProto) -> None:
    cell = next(node for node in model.graph.node if node.op_type == "LSTM")
    next(attribute for attribute in cell.attribute if attribute.name == "direction").s = b"reverse"


def another_order_of_axes(model: onnx.ModelProto) -> None:
    """A transposition that mixes up directions and sentences: every node has its place and its name."""
    last = [node for node in model.graph.node if node.op_type == "Transpose"][-1]
    last.attribute[0].ints[:] = [2, 0, 1]


def another_constant(model: onnx.ModelProto) -> None:
    """The same nodes over another number, by which they compute something else."""
    shape = next(tensor for tensor in model.graph.initializer if tensor.name == "join_both_ends")
    shape.raw_data = np.array([-1, 0], dtype=np.int64).tobytes()


def renamed_table(model: onnx.ModelProto) -> None:
    next(tensor for tensor in model.graph.initializer if tensor.name == "embedding.weight").name = "table"


def integers(model: onnx.ModelProto) -> None:
    table = next(tensor for tensor in model.graph.initializer if tensor.name == "R1")
    table.data_type = onnx.TensorProto.INT32


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (swapped_layers, "isn't the graph that `bothends export` writes for 2-layer bidirectional LSTM"),
        (swapped_halves, "isn't the graph"),
        (another_order_of_axes, "isn't the graph"),
        (one_way, "lstm0 has another direction"),
        (another_constant, "its constant join_both_ends isn't what `bothends export` writes"),
        (renamed_table, "can't be read: KeyError"),
        (integers, "can't be read: KeyError"),
    ],
)
def test_a_graph_that_computes_something_else_is_refused(
    make_bundle: Callable[..., Bundle], change: Callable[[onnx.ModelProto], None], reason: str
) -> None:
    """A graph that isn't export's is refused by its nodes, before a number is computed."""
    bundle = make_bundle(layers=2, dtype=np.float32)
    model = onnx.load_from_string(bundle.model)
    change(model)
    with pytest.raises(BundleError, match=reason):
        read(replace(bundle, model=model.SerializeToString()))


@pytest.mark.parametrize(
    "shape", [{"cell": "gru"}, {"bias": False}, {"learned_initial_states": True}, {"pooling": "max"}], ids=str
)
def test_another_encoder_than_config_says_is_refused(
    make_bundle: Callable[..., Bundle], shape: dict[str, object]
) -> None:
    plain, other = make_bundle(), make_bundle(**shape)
    read(other)
    with pytest.raises(BundleError, match="isn't the graph"):
        read(replace(other, model=plain.model))


def test_a_model_that_export_never_wrote_is_refused(english: Bundle) -> None:
    """The native engine refuses a model that the allowlist refuses, as onnxruntime's does."""
    model = onnx.load_from_string(english.model)
    model.graph.node[0].domain = "com.microsoft"
    with pytest.raises(BundleError, match="holds only what `bothends export` writes"):
        read(replace(english, model=model.SerializeToString()))
