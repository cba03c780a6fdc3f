"""--fix: what is repaired computes what PyTorch does, keeps what stands around, and is written whole or not at all."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import nn

from bothends_doctor.errors import DoctorError
from bothends_doctor.examine import examine
from bothends_doctor.loading import open_model
from bothends_doctor.mistakes import reference
from bothends_doctor.repairing.repair import Repaired, repair
from tests.doctor import graphs
from tests.doctor.examining import mistakes, save
from tests.doctor.modules import EMBEDDING, HIDDEN, VOCABULARY, Unpacked, Written, to_onnx, to_script


def fix(file: Path, out: Path, state_dict: Path | None = None) -> Repaired:
    model = open_model(file)
    known = reference.load(state_dict, model.shapes) if state_dict else None
    return repair(examine(model, known), known, out)


def run(file: Path, tokens: NDArray[Any], lengths: NDArray[np.int32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    feeds = {"tokens": tokens, "lengths": lengths.astype(session.get_inputs()[1].type[7:-1])}
    (rows,) = session.run(None, feeds)
    return np.asarray(rows)


def built_by_pytorch(weights: dict[str, NDArray[np.float32]], cell: str, layers: int) -> nn.Module:
    """The encoder by torch.nn alone: none of doctor's own code."""
    make = nn.LSTM if cell == "LSTM" else nn.GRU
    module = make(EMBEDDING, HIDDEN, layers, bidirectional="rnn.weight_ih_l0_reverse" in weights)
    module.load_state_dict({name[4:]: torch.from_numpy(a) for name, a in weights.items() if name.startswith("rnn.")})
    return module


@torch.inference_mode()
def right(weights: dict[str, NDArray[np.float32]], ids: NDArray[np.int64], cell: str, layers: int, pooling: str) -> Any:
    """One sentence alone."""
    vectors = torch.from_numpy(weights["embedding.weight"][ids]).unsqueeze(1)
    output, last = built_by_pytorch(weights, cell, layers)(vectors)
    h_n = last[0] if cell == "LSTM" else last
    if pooling == "final_states":
        return torch.cat((h_n[-2], h_n[-1]), dim=1).numpy()
    return (output.max(dim=0)[0] if pooling == "max" else output.mean(dim=0)).numpy()


REPAIRS: list[tuple[dict[str, Any], str]] = [
    ({"told": False}, "final_states"),
    ({"pooling": "last_step", "told": False, "cell": "GRU", "layers": 2}, "final_states"),
    ({"pooling": "swapped_halves"}, "final_states"),
    ({"pooling": "fourth_step"}, "final_states"),
    ({"cell": "GRU", "linear_before_reset": 0, "pooling": "max"}, "max"),
    ({"batch": 1, "time": 12, "told": False}, "final_states"),
    ({"pooling": "padding_in_max", "layers": 2}, "max"),
    ({"pooling": "max", "told": True, "cell": "GRU", "linear_before_reset": 0, "opset": 14}, "max"),
]


@pytest.mark.parametrize(("how", "pooling"), REPAIRS, ids=str)
def test_it_computes_what_pytorch_does(tmp_path: Path, how: dict[str, Any], pooling: str) -> None:
    """A repaired file is PyTorch at every length alone, and in a ragged batch padded with random ids."""
    weights = graphs.build(tmp_path / "wrong.onnx", **how)
    fix(tmp_path / "wrong.onnx", tmp_path / "right.onnx")
    random = np.random.default_rng(1)
    cell, layers = how.get("cell", "LSTM"), how.get("layers", 1)
    ids = random.integers(0, VOCABULARY, (40, 40))
    lengths = np.arange(1, 41, dtype=np.int32)
    expected = np.concatenate(
        [right(weights, row[:n], cell, layers, pooling) for row, n in zip(ids, lengths, strict=True)]
    )
    assert np.abs(run(tmp_path / "right.onnx", ids, lengths) - expected).max() <= 1e-5
    alone = [run(tmp_path / "right.onnx", ids[n - 1 : n, :n], lengths[n - 1 : n]) for n in (1, 2, 7, 40)]
    assert np.abs(np.concatenate(alone) - expected[[0, 1, 6, 39]]).max() <= 1e-5


@pytest.mark.brief
@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_gates_are_put_in_order_by_the_state_dict(tmp_path: Path, cell: str) -> None:
    weights = graphs.build(tmp_path / "wrong.onnx", cell=cell, order="torch", layers=2)
    true = save(weights, tmp_path / "weights.pt")
    fix(tmp_path / "wrong.onnx", tmp_path / "right.onnx", true)
    ids = np.random.default_rng(1).integers(0, VOCABULARY, (1, 9))
    got = run(tmp_path / "right.onnx", ids, np.array([9], dtype=np.int32))
    assert np.abs(got - right(weights, ids[0], cell, 2, "final_states")).max() <= 1e-5
    assert mistakes(tmp_path / "right.onnx", true) == []


@pytest.mark.parametrize(("opset", "free"), [(11, "batch time"), (17, "batch"), (18, "")])
def test_an_export_of_pytorchs_with_a_head(tmp_path: Path, opset: int, free: str) -> None:
    """The repaired export is the module itself, once that packs and reads h_n."""
    how: dict[str, Any] = {"head": True, "layers": 2, "batch_first": False}
    to_onnx(Unpacked("last_step", **how), tmp_path / "wrong.onnx", opset=opset, free=free)
    repaired = fix(tmp_path / "wrong.onnx", tmp_path / "right.onnx")
    assert repaired.keeps_head
    assert repaired.new_inputs == ("lengths int32[batch]",)
    tokens = torch.randint(0, VOCABULARY, (12, 5))
    lengths = torch.tensor([3, 12, 1, 7, 5])
    with torch.inference_mode():
        expected = Written("final_states", **how)(tokens, lengths).numpy()
    got = run(tmp_path / "right.onnx", tokens.numpy(), lengths.numpy())
    assert np.abs(got - expected).max() <= 1e-5


def test_names_and_types_of_inputs_and_outputs_stay(tmp_path: Path) -> None:
    """Names and types stay, and axes that were frozen are free."""
    graphs.build(tmp_path / "wrong.onnx", batch=4, time=8)
    fix(tmp_path / "wrong.onnx", tmp_path / "right.onnx")
    model = onnx.load(tmp_path / "right.onnx")
    onnx.checker.check_model(model, full_check=True)
    shapes = {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {"tokens": ["batch", "time"], "lengths": ["batch"], "embedding": ["batch", 2 * HIDDEN]}
    assert [value.type.tensor_type.elem_type for value in model.graph.input] == [7, 6]  # int64 and int32


def test_what_is_right_is_left_alone(tmp_path: Path) -> None:
    graphs.build(tmp_path / "encoder.onnx")
    assert fix(tmp_path / "encoder.onnx", tmp_path / "out.onnx").path is None
    assert not (tmp_path / "out.onnx").exists()


def broken(name: str, folder: Path) -> Path:
    file = folder / "encoder"
    if name == "TorchScript":
        return to_script(Unpacked("final_states"), file)
    if name in ("one direction", "attention"):
        read = "one_direction" if name == "one direction" else "attention"
        return to_onnx(Written(read, packed=False, layers=2), file)
    return to_onnx(Unpacked("last_step", mixed=True), file)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("TorchScript", "change the Python code"),
        ("one direction", "twice as wide"),
        ("attention", "isn't known"),
        ("mixed axes", "run along the batch"),
    ],
)
def test_what_cant_be_repaired_says_why_and_leaves_nothing(tmp_path: Path, name: str, reason: str) -> None:
    file = broken(name, tmp_path)
    with pytest.raises(DoctorError, match=reason):
        fix(file, tmp_path / "out.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["encoder"]


def test_a_rewritten_model_that_is_still_wrong_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof is what decides: here the weights are written wrong."""
    graphs.build(tmp_path / "encoder.onnx", pooling="swapped_halves")
    monkeypatch.setattr("bothends_export.graph.tensors.TORCH_TO_ONNX", {"lstm": (0, 1, 2, 3)})
    with pytest.raises(DoctorError, match=r"rewritten, it is .* off PyTorch; nothing was written"):
        fix(tmp_path / "encoder.onnx", tmp_path / "out.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["encoder.onnx"]


def test_a_number_that_is_none_in_the_proof_is_a_difference(tmp_path: Path) -> None:
    """The head is the root of what some sentences of the proof make negative, and none of those before it."""
    graphs.build(tmp_path / "encoder.onnx", pooling="swapped_halves")
    model = onnx.load(tmp_path / "encoder.onnx")
    row = model.graph.node.pop().input[0]
    model.graph.initializer.append(numpy_helper.from_array(np.array(0.78, np.float32), "shift"))
    model.graph.node.append(helper.make_node("Add", [row, "shift"], ["shifted"]))
    model.graph.node.append(helper.make_node("Sqrt", ["shifted"], ["embedding"]))
    onnx.save(model, tmp_path / "encoder.onnx")
    with pytest.raises(DoctorError, match="rewritten, it is nan off PyTorch; nothing was written"):
        fix(tmp_path / "encoder.onnx", tmp_path / "out.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["encoder.onnx"]
