"""Tensors in PyTorch's order of gates, directions and names are converted to ONNX's, and back."""

import numpy as np
import pytest

from bothends.model.architecture import Cell, EncoderConfig
from bothends_export.graph.tensors import ONNX_TO_TORCH, TORCH_TO_ONNX, reorder, to_onnx, to_torch

HIDDEN = 2


@pytest.mark.parametrize(("cell", "torch", "onnx"), [("lstm", "ifgo", "iofg"), ("gru", "rzn", "zrn")])
def test_gates_stand_in_onnxs_order(cell: Cell, torch: str, onnx: str) -> None:
    """ONNX wants an LSTM's gates as i, o, f, c, where c is PyTorch's g; a GRU's as z, r, h, where h is PyTorch's n."""
    rows = np.repeat([*torch], HIDDEN)
    assert "".join(reorder(rows, TORCH_TO_ONNX[cell], HIDDEN)[::HIDDEN]) == onnx
    assert np.array_equal(reorder(reorder(rows, TORCH_TO_ONNX[cell], HIDDEN), ONNX_TO_TORCH[cell], HIDDEN), rows)


def test_directions_are_stacked_forward_first() -> None:
    """W, R and B hold the forward weights in row 0; B holds the biases of the input before those of the state."""
    config = EncoderConfig(vocabulary_size=5, embedding_size=3, hidden_size=HIDDEN, layers=1)
    weights = {
        f"lstm.{name}_l0{end}": np.full((4 * HIDDEN, *width), number, np.float32)
        for number, (name, width, end) in enumerate(
            (name, width, end)
            for end in ("", "_reverse")
            for name, width in {"weight_ih": (3,), "weight_hh": (HIDDEN,), "bias_ih": (), "bias_hh": ()}.items()
        )
    }
    found = to_onnx(weights, config, 0)
    assert {name: array.shape for name, array in found.items()} == {"W": (2, 8, 3), "R": (2, 8, 2), "B": (2, 16)}
    assert found["W"][:, 0, 0].tolist() == [0, 4]
    assert found["R"][:, 0, 0].tolist() == [1, 5]
    assert found["B"][:, [0, -1]].tolist() == [[2, 3], [6, 7]]
    assert all(np.array_equal(array, weights[name]) for name, array in to_torch(found, config, 0).items())
