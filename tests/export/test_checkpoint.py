"""Checkpoints: the folder that training hands to export, and every way in which one of another origin can be wrong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from bothends.cli.main import main
from bothends_export import checkpoint
from bothends_export.checkpoint import Checkpoint, CheckpointError

Weights = dict[str, torch.Tensor]


@pytest.fixture
def folder(toy_checkpoint: tuple[Path, Checkpoint], tmp_path: Path) -> Path:
    """A checkpoint that the test may break."""
    copy = tmp_path / "checkpoint"
    shutil.copytree(toy_checkpoint[0], copy)
    return copy


def test_a_checkpoint_comes_back_as_it_was(
    make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path: Path
) -> None:
    """Saving a loaded checkpoint again loses nothing: a float16 table widens to the same numbers."""
    _, first = make_checkpoint(layers=2)
    checkpoint.save(tmp_path, first.encoder, first.config, first.tokenizer, table_dtype=first.table_dtype)
    again = checkpoint.load(tmp_path)
    assert again.config == first.config
    assert again.tokenizer == first.tokenizer
    for name, tensor in first.encoder.state_dict().items():
        assert torch.equal(again.encoder.state_dict()[name], tensor), name


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        checkpoint.load(folder)


def remove(weights: Weights) -> None:
    del weights["lstm.bias_hh_l0"]


def add(weights: Weights) -> None:
    weights["head.weight"] = torch.zeros(2)


def reshape(weights: Weights) -> None:
    weights["lstm.weight_ih_l0"] = torch.zeros(64, 5)


def poison(weights: Weights) -> None:
    weights["lstm.weight_hh_l0_reverse"][3, 3] = torch.nan


def narrow(weights: Weights) -> None:
    weights["lstm.weight_hh_l0"] = weights["lstm.weight_hh_l0"].bfloat16()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove, r"the tensor lstm\.bias_hh_l0 is missing"),
        (add, r"unknown tensor head\.weight; the encoder has embedding\.weight, lstm\.weight_ih_l0"),
        (reshape, r"lstm\.weight_ih_l0 has shape \[64, 5\], config\.json asks for \[64, 12\]"),
        (poison, r"lstm\.weight_hh_l0_reverse holds NaN or infinite numbers"),
        (narrow, r"lstm\.weight_hh_l0 is torch\.bfloat16"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_wrong_tensor_is_named(folder: Path, change: Callable[[Weights], None], message: str) -> None:
    """Which, what was expected, in one line; and `export` writes nothing."""
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(folder)
    out = folder.parent / "bundle"
    result = CliRunner().invoke(main, ["export", str(folder), "--out", str(out)])
    assert result.exit_code == 1
    assert len(result.output.strip().splitlines()) == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1, found 0"),
        ({"name": "No Spaces"}, "name: String should match pattern"),
        ({"encoder": {"cell": "rnn"}}, r"encoder\.cell: Input should be 'lstm' or 'gru'"),
        ({"encoder": {"pooling": "sum"}}, r"encoder\.pooling: Input should be 'final_states', 'max', 'mean'"),
        ({"encoder": {"pooling": "max", "head": {"size": 4}}}, r"the tensor head\.linear\.weight is missing"),
        ({"more": 1}, "more: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_config_is_named(folder: Path, change: dict[str, object], message: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    for key, value in change.items():
        config[key] = config[key] | value if isinstance(value, dict) else value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(folder)


def test_files_of_another_kind_are_refused(folder: Path) -> None:
    """A pickle in safetensors' place is never opened as one."""
    torch.save({"a": 1}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.safetensors can't be read"):
        checkpoint.load(folder)
    (folder / "config.json").write_text("not json")
    with pytest.raises(CheckpointError, match=r"config\.json: Invalid JSON"):
        checkpoint.load(folder)
