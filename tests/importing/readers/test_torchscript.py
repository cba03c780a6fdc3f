"""A TorchScript archive gives what torch.jit.load's state_dict() has, without running its code."""

import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bothends_importing.readers.file import open_weights
from tests.importing.custom_modules import quietly

from .hostile import problem, refusal, replace


class Tagger(nn.Module):
    """A module as people script them: submodules, a buffer, attributes of every plain kind, a bare tensor."""

    def __init__(self, cell: str, **options: Any) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 5, padding_idx=0)
        self.encoder = nn.Sequential(nn.Linear(5, 5), nn.Tanh())
        self.rnn = getattr(nn, cell)(5, 4, **options)
        self.register_buffer("h0", torch.randn(4, 1, 4).transpose(0, 1))
        self.words = ["a", "b"]
        self.index = {"a": 1, "ü": 2}
        self.rate: float = 2.5
        self.plain = torch.ones(3)

    def forward(self, ids: Tensor) -> Tensor:
        output: Tensor = self.rnn(self.encoder(self.embedding(ids)))[0]
        return output.max(1)[0]


OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("LSTM", {"num_layers": 2, "bidirectional": True, "batch_first": True, "proj_size": 3}),
    ("LSTM", {"bias": False}),
    ("GRU", {"num_layers": 3, "batch_first": True}),
]


def scripted(file: Path, module: nn.Module) -> Path:
    quietly(torch.jit.script, module).save(file)
    return file


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scripted(tmp_path_factory.mktemp("tagger") / "m.pt", Tagger("GRU"))


def check(file: Path) -> dict[str, Any]:
    expected = quietly(torch.jit.load, file).state_dict()
    read = open_weights(file)
    assert read.kind == "torchscript"
    assert [name for name in read.tensors if name != "plain"] == list(expected)
    assert all(torch.equal(read.tensors[name], expected[name]) for name in expected)
    return read.extras


@pytest.mark.parametrize(("cell", "options"), OPTIONS)
def test_a_scripted_module_gives_its_state_dict_and_how_its_cells_read(
    tmp_path: Path, cell: str, options: dict[str, Any]
) -> None:
    extras = check(scripted(tmp_path / "m.pt", Tagger(cell, **options)))
    given = {"num_layers": 1, "bidirectional": False, "batch_first": False, "proj_size": 0, "bias": True} | options
    assert {name: extras[f"rnn.{name}"] for name in given} == given
    assert extras["rnn.__class__"] == cell
    assert extras["words"] == ["a", "b"]
    assert extras["index"] == {"a": 1, "ü": 2}
    assert extras["rate"] == 2.5
    assert extras["embedding.padding_idx"] == 0
    assert "plain" not in extras


def test_a_tensor_that_is_a_plain_attribute_is_not_lost(tagger: Path) -> None:
    """No state dict has it, yet it may be where the cells begin."""
    read = open_weights(tagger)
    assert read.tensors["plain"].tolist() == [1, 1, 1]


def test_a_traced_module_gives_its_state_dict(tmp_path: Path) -> None:
    module = Tagger("LSTM", bidirectional=True, batch_first=True)
    quietly(torch.jit.trace, module, torch.ones(2, 3, dtype=torch.long)).save(tmp_path / "m.pt")
    check(tmp_path / "m.pt")


def test_a_module_in_half_precision_and_one_that_is_used_twice(tmp_path: Path) -> None:
    module = Tagger("GRU")
    module.again = module.rnn
    file = scripted(tmp_path / "m.pt", module.half())
    expected = quietly(torch.jit.load, file).state_dict()
    read = open_weights(file, ignore=["plain"])  # which half() leaves as it was
    assert read.tensors.keys() == expected.keys()
    assert torch.equal(read.tensors["again.weight_hh_l0"], expected["again.weight_hh_l0"].float())


def test_a_frozen_module_has_lost_its_names(tmp_path: Path) -> None:
    frozen = quietly(torch.jit.freeze, quietly(torch.jit.script, Tagger("GRU").eval()))
    frozen.save(tmp_path / "m.pt")
    assert "before torch.jit.freeze" in refusal(tmp_path / "m.pt")


def test_a_quantised_module_is_refused_by_what_it_needs(tmp_path: Path) -> None:
    module = Tagger("LSTM")
    quantised = quietly(torch.ao.quantization.quantize_dynamic, module, {nn.LSTM}, torch.qint8)
    text = refusal(scripted(tmp_path / "m.pt", quantised))
    assert "__torch__.torch.classes.rnn" in text
    assert "state_dict()" in text


GLOBAL_TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"
STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK%ctQ"
MODULE = b"c__torch__.tests.importing.test_torchscript\nTagger\n)\x81"

FORGED: dict[str, tuple[bytes, str]] = {
    "a helper's attribute": (GLOBAL_TENSOR + b"}X\x01\x00\x00\x00aK\x01sb.", "a change to one of torch's functions"),
    "beyond a storage": (
        GLOBAL_TENSOR + b"(" + STORAGE.replace(b"%c", b"\x10") + b"K\x0b(K\x0atK\x01\x85\x89}tR.",
        "a tensor of 21 numbers in a storage of 16",
    ),
    "a negative stride": (
        GLOBAL_TENSOR + b"(" + STORAGE.replace(b"%c", b"\x10") + b"K\x00(K\x02t(J\xff\xff\xff\xfft\x89}tR.",
        "in a storage of",
    ),
    "a state that is no dict": (MODULE + b"]b.", "no dict of attributes"),
    "a module in itself": (MODULE + b"q\x00}X\x01\x00\x00\x00ah\x00sb.", "holds itself"),
    "no module": (b"].", "no module"),
    "a class of another name": (b"c__torch__.tests.importing.test_torchscript\nOther\n)\x81}b.", "damaged TorchScript"),
    "an extension code": (b"\x82\x01.", "damaged"),
    "cut off": (MODULE, "damaged"),
}


@pytest.mark.parametrize("forged", FORGED)
def test_a_forged_pickle_is_refused(tagger: Path, tmp_path: Path, forged: str) -> None:
    file = Path(shutil.copy(tagger, tmp_path / "m.pt"))
    content, expected = FORGED[forged]
    replace(file, "data.pkl", b"\x80\x02" + content)
    assert expected in refusal(file)


def test_an_archive_without_its_numbers_or_code_is_damaged(tagger: Path, tmp_path: Path) -> None:
    for missing in ("/data/0", ".py"):
        with zipfile.ZipFile(tagger) as archive:
            entries = {name: archive.read(name) for name in archive.namelist() if not name.endswith(missing)}
        file = tmp_path / "m.pt"
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in entries.items():
                archive.writestr(name, content)
        assert "damaged TorchScript archive" in refusal(file)


def test_any_changed_byte_of_the_pickle_is_read_or_refused(tmp_path: Path) -> None:
    file = scripted(tmp_path / "m.pt", nn.Linear(2, 3))
    with zipfile.ZipFile(file) as archive:
        whole = archive.read("m/data.pkl")
    for at in range(2, len(whole), 5):
        replace(file, "data.pkl", whole[:at] + bytes([whole[at] ^ 0x21]) + whole[at + 1 :])
        assert "\n" not in problem(file)
