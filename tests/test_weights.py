"""What the native engine reads of a bundle is what `onnx` reads of it, and nothing where the encoder is another."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from bothends.bundle import Bundle
from bothends.errors import BundleError
from bothends.weights import read


def arrays(bundle: Bundle) -> dict[str, np.ndarray]:
    """Every tensor that the file holds, by name."""
    return {
        tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load_from_string(bundle.model).graph.initializer
    }


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize("layers", [1, 3])
def test_numbers_are_the_files(make_bundle: Callable[..., Bundle], layers: int, dtype: torch.dtype) -> None:
    bundle = make_bundle(layers=layers, dtype=dtype)
    held, found = arrays(bundle), read(bundle)
    assert found.table.dtype == held["embedding.weight"].dtype
    assert np.array_equal(found.table, held["embedding.weight"])
    assert len(found.layers) == layers
    for layer, weights in enumerate(found.layers):
        assert all(np.array_equal(weights[name], held[f"{name}{layer}"]) for name in ("W", "R", "B"))


def test_nodes_say_what_is_what_not_names(make_bundle: Callable[..., Bundle]) -> None:
    """A graph whose tensors are called otherwise is read alike."""
    bundle = make_bundle(layers=2)
    model = onnx.load_from_string(bundle.model)
    swapped = {"W0": "W1", "W1": "W0"}
    for tensor in model.graph.initializer:
        tensor.name = swapped.get(tensor.name, tensor.name)
    for node in model.graph.node:
        node.input[:] = [swapped.get(name, name) for name in node.input]
    renamed = read(replace(bundle, model=model.SerializeToString()))
    for one, other in zip(renamed.layers, read(bundle).layers, strict=True):
        assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ({"cell": "gru"}, "1 tables and 0 LSTMs"),
        ({"bias": False}, "can't be read: KeyError"),
        ({"learned_initial_states": True}, "can't be read: ValueError"),
    ],
)
def test_another_encoder_is_refused(make_bundle: Callable[..., Bundle], shape: dict[str, object], reason: str) -> None:
    with pytest.raises(BundleError, match=reason):
        read(make_bundle(**shape))


def test_a_model_that_export_never_wrote_is_refused(english: Bundle) -> None:
    """As it is before it reaches onnxruntime."""
    model = onnx.load_from_string(english.model)
    model.graph.node[0].domain = "com.microsoft"
    with pytest.raises(BundleError, match="holds only what `bothends export` writes"):
        read(replace(english, model=model.SerializeToString()))
