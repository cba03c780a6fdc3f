"""Doctor finds nothing wrong in right encoders of many shapes: a false alarm is as bad as a miss."""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from bothends.engines import native
from bothends.engines.encoder_speeds import EncoderSpeeds
from bothends.model.architecture import EncoderConfig
from bothends.model.bundle import Bundle
from bothends_export.encoder import Encoder
from bothends_export.graph import build

from . import graphs
from .examining import fact, look, save
from .modules import Written, to_onnx, to_script

BY_HAND: list[dict[str, Any]] = [
    {},
    {"cell": "GRU", "layers": 2},
    {"directions": 1, "layers": 3},
    {"pooling": "max", "batch_first": False},
    {"pooling": "mean", "ids": False, "cell": "GRU", "directions": 1},
    {"opset": 14, "head": True, "cell": "GRU"},
    # a forward pass has read no padding at the sentence's end, so that these are right without packing
    {"pooling": "step_before_padding", "directions": 1, "told": False},
    {"pooling": "max", "directions": 1, "told": False},
]


@pytest.mark.parametrize("how", BY_HAND, ids=str)
def test_a_graph_by_hand(tmp_path: Path, how: dict[str, Any]) -> None:
    graphs.build(tmp_path / "encoder.onnx", **how)
    found = look(tmp_path / "encoder.onnx").findings
    assert (found.exit_code, found.diagnoses) == (0, ())
    assert found.cosine is not None
    assert found.cosine.difference < 1e-5


def test_what_onnxruntime_would_serve_says_what_that_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row for an encoder that the native engine doesn't compute, here one that is too wide; none for another."""
    config = EncoderConfig(vocabulary_size=50, embedding_size=6, hidden_size=8, layers=2, hidden_sizes=(5, 8))
    weights = {name: tensor.numpy() for name, tensor in Encoder(config).state_dict().items()}
    onnx.save(build(weights, config), tmp_path / "encoder.onnx")

    def said() -> list[str]:
        return [each.says for each in look(tmp_path / "encoder.onnx").findings.facts if each.about == "speed"]

    assert said() == []
    monkeypatch.setattr(native, "MAX_WIDTH", 7)
    lacks, cost = native.lacks(config), EncoderSpeeds.of_record().computed(config)
    assert said() == [f"onnxruntime would serve it, as the native engine doesn't compute {lacks}: {cost}"]
    assert lacks == "tables or layers of 8 numbers"


WRITTEN: list[tuple[str, dict[str, Any]]] = [
    ("final_states", {"layers": 2}),
    ("final_states", {"layers": 3, "bidirectional": False, "cell": "gru", "ids": False}),
    ("max", {"cell": "gru", "batch_first": False}),
]


@pytest.mark.parametrize("form", ["onnx", "script", "trace"])
@pytest.mark.parametrize(("read", "how"), WRITTEN, ids=str)
def test_a_packed_pytorch_encoder(tmp_path: Path, read: str, how: dict[str, Any], form: str) -> None:
    module, file = Written(read, **how), tmp_path / "encoder"
    to_onnx(module, file) if form == "onnx" else to_script(module, file, trace=form == "trace")
    found = look(file).findings
    assert (found.exit_code, found.diagnoses) == (0, ())


@pytest.mark.brief
def test_a_bundle_of_ours(english: Bundle, toy_bundle: Bundle) -> None:
    """Bundles are healthy; one of these two keeps its table in float16."""
    for bundle in (english, toy_bundle):
        found = look(bundle.path / "model.onnx").findings
        assert (found.exit_code, found.diagnoses) == (0, ())


@pytest.mark.brief
@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_the_gates_are_right_against_the_state_dict(tmp_path: Path, cell: str) -> None:
    weights = graphs.build(tmp_path / "encoder.onnx", cell=cell, layers=2)
    found = look(tmp_path / "encoder.onnx", save(weights, tmp_path / "weights.pt"))
    assert found.findings.exit_code == 0
    assert fact(found, "weights").verdict == "right"


class Masked(nn.Module):
    """An encoder called by ids and a mask, as those that share their tokeniser with a transformer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.embedding = nn.Embedding(50, 6)
        self.rnn = nn.GRU(6, 5, 2, bidirectional=True, batch_first=True)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        lengths = attention_mask.sum(1)
        packed = pack_padded_sequence(self.embedding(input_ids), lengths.cpu(), batch_first=True, enforce_sorted=False)
        output, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        mask = attention_mask.unsqueeze(2).to(output.dtype)
        return nn.functional.normalize((output * mask).sum(1) / mask.sum(1), dim=1)


class PadsById(Masked):
    """Token 0 is its padding, and nothing else tells the lengths."""

    def forward(self, input_ids: Tensor) -> Tensor:  # type: ignore[override]
        lengths = (input_ids != 0).sum(1)
        packed = pack_padded_sequence(self.embedding(input_ids), lengths.cpu(), batch_first=True, enforce_sorted=False)
        h_n = self.rnn(packed)[1]
        return torch.cat((h_n[-2], h_n[-1]), dim=1)


@pytest.mark.parametrize("form", ["onnx", "script"])
@pytest.mark.parametrize("module", [Masked, PadsById])
def test_lengths_by_a_mask_or_by_an_id(tmp_path: Path, module: type[nn.Module], form: str) -> None:
    made, file = module().eval(), tmp_path / "encoder"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters' own, about themselves
        if form == "script":
            torch.jit.save(torch.jit.script(made), str(file))
        else:
            logging.getLogger("torch.onnx").setLevel(logging.ERROR)
            tokens = torch.randint(1, 50, (3, 5))
            inputs = (tokens,) if module is PadsById else (tokens, torch.ones(3, 5, dtype=torch.int64))
            names = ["input_ids", "attention_mask"][: len(inputs)]
            axes = {name: {0: "batch", 1: "time"} for name in names} | {"embedding": {0: "batch"}}
            torch.onnx.export(
                made, inputs, str(file), dynamo=False, input_names=names, output_names=["embedding"], dynamic_axes=axes
            )  # fmt: skip
    found = look(file).findings
    assert (found.exit_code, found.diagnoses) == (0, ())


@pytest.mark.parametrize("form", ["onnx", "script"])
def test_a_pooling_that_isnt_known_is_no_mistake_and_not_called_right(tmp_path: Path, form: str) -> None:
    """Attention, done right."""
    module, file = Written("attention", layers=2), tmp_path / "encoder"
    to_onnx(module, file) if form == "onnx" else to_script(module, file)
    found = look(file).findings
    assert (found.exit_code, found.verdict, found.diagnoses) == (2, "not known", ())


def test_weights_that_blow_rounding_up_are_judged_by_what_float32_can_do(tmp_path: Path) -> None:
    """A deep GRU with large recurrent weights, whose states two right libraries compute 1e-4 apart."""
    graphs.build(tmp_path / "encoder.onnx", cell="GRU", layers=3, pooling="max")
    model = onnx.load(str(tmp_path / "encoder.onnx"))
    for tensor in model.graph.initializer:
        if tensor.name[0] in "WR":
            tensor.raw_data = (numpy_helper.to_array(tensor) * 6).astype(np.float32).tobytes()
    onnx.save(model, str(tmp_path / "encoder.onnx"))
    examined = look(tmp_path / "encoder.onnx")
    assert examined.harness.bounds.noise > 1e-6
    assert examined.findings.diagnoses == ()


def test_the_cosines_are_those_of_pytorch(tmp_path: Path) -> None:
    """Swapped halves: each half by itself is far from right too, and right halves are exactly right."""
    graphs.build(tmp_path / "swapped.onnx", pooling="swapped_halves")
    graphs.build(tmp_path / "last.onnx", pooling="step_before_padding")
    swapped, last = (look(tmp_path / name).findings.cosine for name in ("swapped.onnx", "last.onnx"))
    assert swapped is not None
    assert max(abs(swapped.whole), abs(swapped.forward or 1), abs(swapped.backward or 1)) < 0.5
    assert last is not None
    assert last.forward == pytest.approx(1, abs=1e-5)  # the forward half of output[:, len-1] is right
    assert last.backward is not None
    assert last.backward < 0.95
