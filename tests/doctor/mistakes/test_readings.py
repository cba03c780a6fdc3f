"""Doctor names each known mistake, in graphs by hand, in PyTorch's exports and in TorchScript, and says how far off."""

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from tests.doctor import graphs
from tests.doctor.examining import call, fact, look, mistakes, save
from tests.doctor.modules import Unpacked, Written, to_onnx, to_script

BY_HAND: list[tuple[str, dict[str, Any]]] = [
    ("padded_h_n", {"told": False}),
    ("padded_h_n", {"told": False, "cell": "GRU", "head": True, "batch_first": False}),
    ("last_step", {"pooling": "last_step"}),
    ("last_step", {"pooling": "last_step", "head": True, "told": False, "ids": False}),
    ("step_before_padding", {"pooling": "step_before_padding"}),
    ("swapped_halves", {"pooling": "swapped_halves", "layers": 2}),
    ("linear_before_reset", {"cell": "GRU", "linear_before_reset": 0}),
    ("frozen_batch", {"batch": 4}),
    ("frozen_time", {"time": 8}),
    ("frozen_time", {"pooling": "fourth_step"}),
    ("constant_step", {"pooling": "fourth_step"}),
    ("padding_in_max", {"pooling": "padding_in_max"}),
    ("padding_in_max", {"pooling": "padding_in_max", "told": False, "cell": "GRU", "head": True}),
    ("padding_in_mean", {"pooling": "padding_in_mean", "layers": 3}),
    ("padding_in_cells", {"pooling": "max", "told": False}),
]


@pytest.mark.parametrize(("key", "how"), BY_HAND, ids=str)
def test_a_graph_by_hand(tmp_path: Path, key: str, how: dict[str, Any]) -> None:
    graphs.build(tmp_path / "encoder.onnx", **how)
    found = mistakes(tmp_path / "encoder.onnx")
    assert key in found
    assert set(found) <= {key, "padding_in_cells", "constant_step", "frozen_time"}


READS = [
    ("padded_h_n", "final_states", False),
    ("swapped_halves", "swapped_halves", True),
    ("last_step", "last_step", True),
    ("step_before_padding", "step_before_padding", True),
    ("first_step", "first_step", True),
    ("padding_in_max", "padding_in_max", True),
    ("padding_in_max", "padding_in_max", False),
    ("padding_in_mean", "padding_in_mean", True),
    ("wrong_layer", "wrong_layer", True),
    ("viewed_h_n", "viewed_h_n", True),
    ("one_direction", "one_direction", True),
    ("cell_state", "cell_state", False),
]


@pytest.mark.parametrize(
    "form", ["onnx", *(pytest.param(form, marks=pytest.mark.slow) for form in ("script", "trace"))]
)
@pytest.mark.parametrize(("key", "read", "packed"), READS, ids=str)
def test_a_pytorch_encoder(tmp_path: Path, key: str, read: str, packed: bool, form: str) -> None:
    """One that packs, where PyTorch can export that, and one that doesn't."""
    head = read in ("last_step", "padding_in_max")  # which is found behind a linear too
    module = Written(read, packed=packed, layers=2, head=head, seed=len(read))
    file = tmp_path / "encoder"
    to_onnx(module, file) if form == "onnx" else to_script(module, file, trace=form == "trace")
    found = mistakes(file)
    assert key in found
    assert set(found) <= {key, "padding_in_cells", "rows_mix"}
    assert ("padding_in_cells" in found) == (not packed and not key.startswith("padd"))


@pytest.mark.parametrize("free", ["batch", "time", ""])
@pytest.mark.parametrize("read", ["final_states", "last_step"])
def test_axes_that_pytorchs_exporter_froze(tmp_path: Path, free: str, read: str) -> None:
    found = mistakes(to_onnx(Unpacked(read), tmp_path / "encoder.onnx", free=free))
    assert ("frozen_batch" in found) == (free != "batch")
    assert ("frozen_time" in found) == (free != "time")


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_pytorchs_gate_order_shows_against_the_state_dict_alone(tmp_path: Path, cell: str) -> None:
    """A file with gates in PyTorch's order is, by itself, a sound encoder with other weights."""
    weights = graphs.build(tmp_path / "encoder.onnx", cell=cell, order="torch", layers=2)
    true = save(weights, tmp_path / "weights.pt")
    alone = look(tmp_path / "encoder.onnx")
    assert alone.findings.exit_code == 0
    assert (fact(alone, "gates").verdict, alone.findings.truth) == ("unknown", None)
    told = look(tmp_path / "encoder.onnx", true).findings
    assert [diagnosis.key for diagnosis in told.diagnoses] == ["torch_gate_order"]
    assert told.cosine is not None
    assert told.cosine.whole < 0.95


@pytest.mark.parametrize("form", ["onnx", "script"])
def test_batch_and_time_mixed_up(tmp_path: Path, form: str) -> None:
    """A forgotten batch_first=True is found, though output[:, -1] has a row for each sentence."""
    module, file = Unpacked("last_step", mixed=True), tmp_path / "encoder"
    to_onnx(module, file) if form == "onnx" else to_script(module, file)
    assert "batch_time_mixed" in mistakes(file)


def test_an_nn_lstm_as_it_is_answers_with_its_h_n(tmp_path: Path) -> None:
    """The states are looked at, of output, h_n and c_n, unless another output is named."""
    graphs.build(tmp_path / "encoder.onnx", told=False)
    model = onnx.load(str(tmp_path / "encoder.onnx"))
    del model.graph.output[:]
    for name in ("output0", "Y_h0"):
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None, None]))
    onnx.save(model, str(tmp_path / "encoder.onnx"))
    assert look(tmp_path / "encoder.onnx").findings.encoder.reads == "both ends, cat(h_n[-2], h_n[-1])"
    every_step = call(tmp_path / "encoder.onnx", "--output", "output0")
    assert (every_step.exit_code, "returns every step" in every_step.stderr) == (2, True)
