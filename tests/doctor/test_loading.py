"""One clear line for each thing that can't be examined or repaired; and nothing in a file is run to find out."""

import pickle
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from . import graphs
from .examining import RunsCode, call
from .modules import Written


def empty(folder: Path) -> list[object]:
    (folder / "file").touch()
    return [folder / "file"]


def missing(folder: Path) -> list[object]:
    return [folder / "nothing.onnx"]


def a_pickle(folder: Path) -> list[object]:
    (folder / "file").write_bytes(pickle.dumps(RunsCode()))
    return [folder / "file"]


def no_recurrence(folder: Path) -> list[object]:
    tokens = helper.make_tensor_value_info("tokens", TensorProto.INT64, ["batch", "time"])
    out = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", "time"])
    node = helper.make_node("Cast", ["tokens"], ["embedding"], to=TensorProto.FLOAT)
    onnx.save(helper.make_model(helper.make_graph([node], "none", [tokens], [out])), str(folder / "file"))
    return [folder / "file"]


def changed(change: Callable[[onnx.ModelProto], None]) -> Callable[[Path], list[object]]:
    def build(folder: Path) -> list[object]:
        graphs.build(folder / "file")
        model = onnx.load(str(folder / "file"))
        change(model)
        onnx.save(model, str(folder / "file"))
        return [folder / "file"]

    return build


def peepholes(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "LSTM")
    node.input.extend(["", "", "B0"])


def unknown_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("\x1b[31mmore", TensorProto.FLOAT, [1, 2, 3, 4]))


def not_a_number_of_a_token(model: onnx.ModelProto) -> None:
    table = next(tensor for tensor in model.graph.initializer if tensor.name == "table")
    table.raw_data = np.float32(np.nan).tobytes() + table.raw_data[4:]


def weights_in(location: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)

    return change


def frozen_script(folder: Path) -> list[object]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.freeze(torch.jit.script(Written("final_states"))), str(folder / "file"))
    return [folder / "file"]


def fix_onto_a_file(folder: Path) -> list[object]:
    graphs.build(folder / "file", told=False)
    (folder / "out").touch()
    return [folder / "file", "--fix", folder / "out"]


def unknown_output(folder: Path) -> list[object]:
    graphs.build(folder / "file")
    return [folder / "file", "--output", "logits"]


BAD: list[tuple[Callable[[Path], list[object]], str]] = [
    (empty, "is empty"),
    (missing, "No such file or directory"),
    (a_pickle, "is a pickle, which isn't opened"),
    (no_recurrence, "there is no LSTM or GRU node"),
    (changed(peepholes), "peepholes"),
    (changed(unknown_input), "what the input \N{REPLACEMENT CHARACTER}[31mmore"),
    (changed(not_a_number_of_a_token), "its table of embeddings holds NaN"),
    (changed(weights_in("weights.bin")), "the file weights.bin with the weights of table is missing"),
    (changed(weights_in("../../etc/passwd")), "outside of the model's folder"),
    (frozen_script, "save it before torch.jit.freeze"),
    (fix_onto_a_file, "exists already"),
    (unknown_output, "there is no output logits; there are embedding"),
]


@pytest.mark.parametrize(("make", "reason"), BAD, ids=lambda value: getattr(value, "__name__", str(value)[:30]))
def test_what_cant_be_examined_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], list[object]], reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(*make(tmp_path))
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert reason in line
    assert line.isprintable()
    assert not (tmp_path / "ran").exists()
