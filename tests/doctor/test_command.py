"""The command: its exit codes, its table, its JSON and its help."""

import json
import sys
from pathlib import Path
from shlex import quote

import torch
from safetensors.torch import save_file

from tests.support.ran import ran

from . import graphs
from .examining import call, save


def shown(path: Path) -> str:
    """Return a path as a shell reads it, without the spaces that a terminal's width may replace."""
    return "".join(quote(str(path)).split())


def test_a_healthy_file_exits_with_0(tmp_path: Path) -> None:
    graphs.build(tmp_path / "encoder.onnx")
    result = call(tmp_path / "encoder.onnx")
    assert (result.exit_code, result.stderr) == (0, "")
    told = "".join(result.stdout.partition("Nothing wrong was found.\n")[2].split())
    assert told == f"Next:bothendsimport{shown(tmp_path / 'encoder.onnx')}--tokenizerFILE--outCHECKPOINT"


def test_a_wrong_one_exits_with_1_and_says_what_to_do(tmp_path: Path) -> None:
    graphs.build(tmp_path / "encoder.onnx", pooling="swapped_halves")
    result = call(tmp_path / "encoder.onnx")
    assert result.exit_code == 1
    assert "1. the halves are swapped\n   Join them forward first: " in result.stdout
    told = "".join(result.stdout.split())
    assert told.endswith(f"asitwasmeant;orbothendsdoctor{shown(tmp_path / 'encoder.onnx')}--fixOUT")


def test_json_says_all_of_it(tmp_path: Path) -> None:
    graphs.build(tmp_path / "encoder.onnx", pooling="padding_in_max", told=False)
    result = call(tmp_path / "encoder.onnx", "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["exit_code"], answer["verdict"]) == (1, 1, "wrong")
    assert [diagnosis["key"] for diagnosis in answer["diagnoses"]] == ["padding_in_max"]
    assert answer["about"]["inputs"][0] == {
        "name": "tokens", "dtype": "int64", "shape": ["batch", "time"], "role": "tokens",
    }  # fmt: skip
    assert answer["encoder"]["cell"] == "lstm"
    assert answer["leak"]["padding"] > 0.01
    assert answer["cosine"]["to"] == "max over the sentence's steps"


def test_fix_exits_with_0_once_it_is_proved(tmp_path: Path) -> None:
    graphs.build(tmp_path / "wrong.onnx", told=False)
    result = call(tmp_path / "wrong.onnx", "--fix", tmp_path / "right.onnx", "--json")
    repaired = json.loads(result.stdout)["repaired"]
    assert (result.exit_code, repaired["path"]) == (0, str(tmp_path / "right.onnx"))
    assert repaired["difference"] <= 1e-5
    assert call(tmp_path / "right.onnx").exit_code == 0


def test_a_state_dict_as_safetensors(tmp_path: Path) -> None:
    weights = graphs.build(tmp_path / "encoder.onnx", order="torch")
    save_file({name: torch.from_numpy(array) for name, array in weights.items()}, tmp_path / "weights.safetensors")
    result = call(tmp_path / "encoder.onnx", "--state-dict", tmp_path / "weights.safetensors")
    assert result.exit_code == 1
    assert "the gates are in PyTorch's order" in result.stdout


def test_a_bad_seed_of_another_table_is_told(tmp_path: Path) -> None:
    """The cells are the state dict's, the table isn't."""
    weights = graphs.build(tmp_path / "encoder.onnx")
    weights["embedding.weight"] = weights["embedding.weight"][::-1].copy()
    result = call(tmp_path / "encoder.onnx", "--state-dict", save(weights, tmp_path / "weights.pt"))
    assert result.exit_code == 1
    assert "but for the embedding table" in result.stdout


def test_importing_the_command_loads_no_torch_and_no_onnx() -> None:
    code = "import sys, bothends_doctor.command; print({'torch', 'onnx', 'rich'} & set(sys.modules))"
    ended = ran(sys.executable, "-c", code, check=True)
    assert ended.stdout.strip() == "set()"
