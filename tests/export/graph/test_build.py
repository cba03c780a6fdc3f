"""The ONNX graph is the PyTorch encoder, at every length and in every batch; the weights come back out of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from bothends_export import graph
from bothends_export.checkpoint import Checkpoint
from bothends_export.encoder import Encoder
from bothends_export.export import arrays
from tests.support.shapes import SHAPES

MakeCheckpoint = Callable[..., tuple[Path, Checkpoint]]
LONGEST = 64


def built(checkpoint: Checkpoint) -> onnx.ModelProto:
    return graph.build(arrays(checkpoint), checkpoint.config.encoder)


def exported(checkpoint: Checkpoint) -> tuple[onnx.ModelProto, onnxruntime.InferenceSession]:
    model = built(checkpoint)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return model, session


@torch.inference_mode()
def differences(
    encoder: Encoder, session: onnxruntime.InferenceSession, ids: np.ndarray, lengths: np.ndarray
) -> tuple[float, float, float]:
    """Largest absolute difference of the forward half, the backward half and h_n."""
    embedding, h_n = session.run(None, {"token_ids": ids, "lengths": lengths.astype(np.int32)})
    expected = encoder(torch.from_numpy(ids), torch.from_numpy(lengths))
    half = encoder.config.hidden_size
    by_end = np.abs(embedding - expected.embedding.numpy())
    return by_end[:, :half].max(), by_end[:, half:].max(), np.abs(h_n - expected.h_n.numpy()).max()


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("size", [1, 2, 31])
def test_ragged_batches(make_checkpoint: MakeCheckpoint, layers: int, size: int) -> None:
    """Batches of random lengths with random ids in their padding slots are within 1e-5 of PyTorch's packed run."""
    _, checkpoint = make_checkpoint(layers=layers, hidden_size=24, seed=layers)
    _, session = exported(checkpoint)
    random = np.random.default_rng(size)
    lengths = random.integers(1, LONGEST, size, endpoint=True)
    ids = random.integers(0, checkpoint.config.encoder.vocabulary_size, (size, int(lengths.max())))
    assert max(differences(checkpoint.encoder, session, ids, lengths)) <= 1e-5


def test_the_padding_row_is_not_zero(make_checkpoint: MakeCheckpoint) -> None:
    """A zero vector for token 0 would hide padding that leaks; ours is as large as any other."""
    _, checkpoint = make_checkpoint()
    norms = checkpoint.encoder.embedding.weight.detach().norm(dim=1)
    assert norms[0] > 0.5 * norms.mean()


def test_inputs_outputs_and_opset(make_checkpoint: MakeCheckpoint) -> None:
    """Names, types and free axes are the bundle's contract; the opset is one that CUDA's provider registers."""
    model, session = exported(make_checkpoint(layers=2)[1])
    described = {value.name: (value.type, value.shape) for value in (*session.get_inputs(), *session.get_outputs())}
    assert described == {
        "token_ids": ("tensor(int64)", ["batch", "time"]),
        "lengths": ("tensor(int32)", ["batch"]),
        "embedding": ("tensor(float)", ["batch", 32]),
        "h_n": ("tensor(float)", [4, "batch", 16]),
    }
    assert [entry.version for entry in model.opset_import] == [graph.OPSET]
    assert graph.OPSET <= 21


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_weights_come_back_from_the_graph(make_checkpoint: MakeCheckpoint, shape: dict[str, Any]) -> None:
    """`weights_of` gives each number that `build` was given; a projected LSTM's R, to float32's precision."""
    _, checkpoint = make_checkpoint(**shape)
    lifted = graph.weights_of(built(checkpoint), checkpoint.config.encoder)
    weights = checkpoint.encoder.state_dict()
    assert lifted.keys() == weights.keys()
    for name, tensor in weights.items():
        bound = 1e-6 if "projection_size" in shape and ("weight_hh" in name or name == "h_0") else 0
        assert np.abs(lifted[name].astype(np.float32) - tensor.numpy()).max() <= bound, name


def test_a_foreign_graph_gives_no_weights(make_checkpoint: MakeCheckpoint) -> None:
    """A graph without our initializers is refused, naming the first that is missing."""
    _, checkpoint = make_checkpoint()
    model = built(checkpoint)
    model.graph.initializer[1].name = "renamed"
    with pytest.raises(ValueError, match="W0"):
        graph.weights_of(model, checkpoint.config.encoder)
