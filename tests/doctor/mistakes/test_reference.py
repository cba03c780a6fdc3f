"""State dicts that a file can't be held to: one clear line each, naming the tensor; and no pickle runs code."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.doctor import graphs
from tests.doctor.examining import RunsCode, call, save


def other_sizes(folder: Path) -> Path:
    weights = graphs.state_dict("LSTM", 1, 2)
    weights["rnn.weight_ih_l0"] = weights["rnn.weight_ih_l0"][:, :3]
    return save(weights, folder / "weights.pt")


def nan_weights(folder: Path) -> Path:
    weights = graphs.state_dict("LSTM", 1, 2)
    weights["rnn.bias_hh_l0"][3] = np.nan
    return save(weights, folder / "weights.pt")


def part_missing(folder: Path) -> Path:
    weights = graphs.state_dict("LSTM", 1, 2)
    del weights["rnn.weight_hh_l0"]
    return save(weights, folder / "weights.pt")


def runs_code(folder: Path) -> Path:
    torch.save({"rnn.weight_ih_l0": RunsCode()}, folder / "weights.pt")
    return folder / "weights.pt"


def broken_safetensors(folder: Path) -> Path:
    (folder / "weights.safetensors").write_bytes(b"nothing of the kind")
    return folder / "weights.safetensors"


BAD: list[tuple[Callable[[Path], Path], str]] = [
    (other_sizes, "rnn.weight_ih_l0 has shape [20, 3], the file's weights have [20, 6]"),
    (nan_weights, "rnn.bias_hh_l0 holds NaN"),
    (part_missing, "the tensor rnn.weight_hh_l0 is missing"),
    (runs_code, "wants to run code"),
    (broken_safetensors, "can't be read as a state dict"),
]


@pytest.mark.parametrize(("make", "reason"), BAD, ids=lambda value: getattr(value, "__name__", ""))
def test_it_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Path], reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    graphs.build(tmp_path / "file")
    result = call(tmp_path / "file", "--state-dict", make(tmp_path))
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert reason in line
    assert not (tmp_path / "ran").exists()
