"""Files of weights are told by their content, read whole or refused in one line, and never run."""

import copy
import gzip
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from bothends_importing.readers.file import open_weights

from .hostile import problem, refusal

STATE = {"embedding.weight": torch.arange(6.0).reshape(2, 3), "fc.bias": torch.tensor([1.0, 2.0])}


def save(whole: Any, file: Path, **options: Any) -> Path:
    torch.save(whole, file, **options)
    return file


def same(tensors: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    return tensors.keys() == expected.keys() and all(torch.equal(tensors[name], expected[name]) for name in expected)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_state_dict_of_torch_save_is_read_whatever_its_name(tmp_path: Path, legacy: bool) -> None:
    read = open_weights(save(STATE, tmp_path / "weights.h5", _use_new_zipfile_serialization=not legacy))
    assert read.kind == "torch"
    assert same(read.tensors, STATE)
    assert not read.notes
    assert not read.extras


def test_safetensors_are_read_with_their_metadata(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "weights.pt", metadata={"format": "pt"})
    read = open_weights(tmp_path / "weights.pt")
    assert read.kind == "safetensors"
    assert same(read.tensors, STATE)
    assert read.extras == {"format": "pt"}


def test_the_parts_of_laser_s_file_are_told_apart(tmp_path: Path) -> None:
    whole = {"params": {"num_layers": 5, "left_pad": True}, "model": STATE, "dictionary": {"<s>": 0, "▁a": 4}}
    read = open_weights(save(whole, tmp_path / "laser.pt"))
    assert same(read.tensors, STATE)
    assert read.extras == {"params": {"num_layers": 5, "left_pad": True}, "dictionary": {"<s>": 0, "▁a": 4}}


def test_a_training_checkpoint_gives_its_state_dict_and_no_optimizer(tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    whole = {"epoch": 3, "state_dict": model.state_dict(), "optimizer": optimizer.state_dict(), "best": (1, None)}
    read = open_weights(save(whole, tmp_path / "last.ckpt"))
    assert same(read.tensors, dict(model.state_dict()))
    assert read.extras["epoch"] == 3
    assert read.extras["best"] == [1, None]


def test_nested_tensors_without_a_state_dict_get_dotted_names(tmp_path: Path) -> None:
    whole = {
        "rnn": {"w": STATE["fc.bias"], "deep": {"v": STATE["fc.bias"]}},
        "table": STATE["embedding.weight"],
        "n": 2,
    }
    read = open_weights(save(whole, tmp_path / "w.pt"))
    assert list(read.tensors) == ["rnn.w", "rnn.deep.v", "table"]
    assert read.extras["n"] == 2


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float64])
def test_one_other_kind_of_float_becomes_float32_with_a_note(tmp_path: Path, kind: torch.dtype) -> None:
    read = open_weights(save({name: tensor.to(kind) for name, tensor in STATE.items()}, tmp_path / "w.pt"))
    assert same(read.tensors, STATE)
    assert len(read.notes) == 1
    assert str(kind).removeprefix("torch.") in read.notes[0]


def test_tied_transposed_and_repeated_tensors_are_read_as_they_look(tmp_path: Path) -> None:
    table = torch.arange(6.0).reshape(2, 3)
    whole = {"a": table, "b": table, "t": table.T, "row": table[1], "h_0": torch.ones(1, 1).expand(4, 2)}
    read = open_weights(save(whole, tmp_path / "w.pt"))
    assert same(read.tensors, whole)
    assert all(tensor.is_contiguous() for tensor in read.tensors.values())
    assert read.tensors["a"].data_ptr() == read.tensors["b"].data_ptr()


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, legacy: bool, share: float) -> None:
    whole = save({"w": torch.randn(50, 50)}, tmp_path / "w.pt", _use_new_zipfile_serialization=not legacy).read_bytes()
    (tmp_path / "w.pt").write_bytes(whole[: int(share * len(whole))])
    refusal(tmp_path / "w.pt")


def test_a_cut_off_safetensors_file_is_refused(tmp_path: Path) -> None:
    save_file({"w": torch.randn(50, 50)}, tmp_path / "w")
    whole = (tmp_path / "w").read_bytes()
    (tmp_path / "w").write_bytes(whole[:-100])
    assert "damaged safetensors" in refusal(tmp_path / "w")


def test_any_changed_byte_of_a_small_file_is_read_or_refused(tmp_path: Path) -> None:
    """Errors that a wrong byte makes torch's reader raise become one line of ours."""
    for legacy in (False, True):
        whole = save(STATE, tmp_path / "w.pt", _use_new_zipfile_serialization=not legacy).read_bytes()
        for at in range(0, len(whole), 3):
            (tmp_path / "w.pt").write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
            text = problem(tmp_path / "w.pt")
            assert "\n" not in text
            assert "weights_only" not in text  # torch advises to go without


STRANGERS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\n", "git lfs pull"),
    "html": (b"<!DOCTYPE html>\n<html>", 'text file that begins with "<!DOCTYPE html>"'),
    "long text": ("é".encode() * 2000, "is a text file"),
    "gzip": (gzip.compress(b"weights"), "unpack it first"),
    "bytes": (bytes(range(129, 256)) * 4, "of no known kind"),
    "empty zip": (b"PK\x05\x06" + bytes(18), "empty zip archive"),
    "cut zip": (b"PK\x03\x04" + bytes(100), "damaged zip archive"),
    "huge header": (struct.pack("<Q", 2**60) + b"{}", "of no known kind"),
    "wrong header": (struct.pack("<Q", 2) + b"{]", "damaged safetensors"),
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_file_that_holds_no_weights_is_named_for_what_it_is(tmp_path: Path, stranger: str) -> None:
    content, expected = STRANGERS[stranger]
    (tmp_path / "w.pt").write_bytes(content)
    assert expected in refusal(tmp_path / "w.pt")


def test_folders_missing_files_and_other_archives_are_named(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)
    assert "can't be read" in refusal(tmp_path / "nowhere.pt")
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "none of torch's or Keras's" in refusal(tmp_path / "w.zip")
    with tarfile.open(tmp_path / "w.tar", "w") as tar:
        tar.add(tmp_path / "w.zip", arcname="storages")
    assert "tar archive" in refusal(tmp_path / "w.tar")


def test_an_archive_that_would_fill_the_memory_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w/data.pkl", b"\x80\x02}.")
        archive.writestr("w/data/0", bytes(2**27))
    assert "fill the memory" in refusal(tmp_path / "w.pt")


def test_a_tensor_that_repeats_a_number_without_end_is_refused(tmp_path: Path) -> None:
    text = refusal(save({"w": torch.ones(1, 1).expand(2**20, 2**12)}, tmp_path / "w.pt"))
    assert "fill the memory" in text


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nan": ({"w": torch.tensor([1.0, float("nan")])}, "w holds NaN or infinite"),
    "infinite": ({"w": torch.tensor([1.0, float("-inf")])}, "w holds NaN or infinite"),
    "too large": ({"w": torch.tensor([1e300], dtype=torch.float64)}, "w holds 1e+300, too large for float32"),
    "mixed": ({"a": torch.ones(2), "b": torch.ones(2).half()}, "b is float16 and a is float32"),
    "integers": ({"a": torch.ones(2), "steps": torch.tensor(3)}, 'ignore = ["steps"]'),
    "complex": ({"a": torch.ones(2, dtype=torch.complex64)}, "a is complex64"),
    "sparse": ({"a": torch.eye(3).to_sparse()}, "a is no plain tensor (sparse_coo)"),
    "meta": ({"a": torch.ones(2, device="meta")}, "a is no plain tensor (on the device meta)"),
    "nothing": ({"epoch": 3}, "holds no tensors"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_tensors_that_are_no_weights_are_named(tmp_path: Path, wrong: str) -> None:
    whole, expected = WRONG[wrong]
    assert expected in refusal(save(whole, tmp_path / "w.pt"))


def test_what_is_ignored_may_be_anything_but_must_be_there(tmp_path: Path) -> None:
    file = save({"a": torch.ones(2), "bn.steps": torch.tensor(3), "bn.x": torch.ones(1).double()}, tmp_path / "w.pt")
    assert list(open_weights(file, ignore=("bn.*",)).tensors) == ["a"]
    assert 'ignore names "head.*", which matches none of a, bn.steps, bn.x' in refusal(file, ignore=("head.*",))
    assert "no tensors but those to ignore" in refusal(file, ignore=("*",))


def test_objects_that_are_no_dict_of_tensors_are_refused(tmp_path: Path) -> None:
    assert "holds a list" in refusal(save([torch.ones(2)], tmp_path / "w.pt"))
    assert "holds a Tensor" in refusal(save(torch.ones(2), tmp_path / "w.pt"))
    deep: dict[str, Any] = {"w": torch.ones(2)}
    for _ in range(40):
        deep = {"d": copy.copy(deep), "n": 1}
    assert "nests dicts too deep" in refusal(save(deep, tmp_path / "w.pt"))


def test_a_small_file_that_holds_itself_many_times_is_read_or_refused_soon(tmp_path: Path) -> None:
    twice: list[Any] = ["lol"]
    for _ in range(30):
        twice = [twice, twice]
    itself: dict[str, Any] = {"n": 3}
    itself |= {"a": itself, "b": itself}
    read = open_weights(save({"w": STATE, "twice": twice, "itself": itself}, tmp_path / "w.pt"))
    assert same(read.tensors, STATE)
    assert read.extras["itself"] == {"n": 3}
    assert "nests dicts too deep, or in themselves" in refusal(
        save({"w": STATE["fc.bias"], **itself}, tmp_path / "w.pt")
    )


def test_names_can_t_write_to_the_terminal(tmp_path: Path) -> None:
    text = refusal(save({"\x1b[31mred\n": torch.tensor([float("nan")])}, tmp_path / "w.pt"))
    assert "\x1b" not in text
