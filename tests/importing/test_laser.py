"""LASER 1 and 2, from the files that people have to the vectors that a server answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from . import original_laser as original
from .end_to_end import TOLERANCE, embedded, imported, notes, refused, served

SENTENCES = [
    "There will be dragons",
    "A MAN plays the „guitar“ (and a woman sings) .",
    "Il y aura des dragons\u00a0: une\u200bfemme chante…",
    "12 drachen; 3 – nicht ?",
    "日本 dragons",
    "a",
]


def test_a_server_answers_as_the_original_does(tmp_path: Path) -> None:
    """Text through LASER's own preprocessing, pieces and dictionary; five layers."""
    dictionary = original.write_model(tmp_path / "laser2.spm")
    model = original.write(tmp_path / "laser2.pt", dictionary)
    done = imported(tmp_path / "laser2.pt", "--spm", tmp_path / "laser2.spm", "--max-tokens", "60")
    cut = [original.pieces(sentence, tmp_path / "laser2.spm") for sentence in SENTENCES]
    assert any(piece not in dictionary for pieces in cut for piece in pieces)
    answered = served(tmp_path, SENTENCES)
    for row, pieces in zip(answered, cut, strict=True):
        assert np.abs(row - model.encode([pieces], dictionary)[0].numpy()).max() <= TOLERANCE, pieces
    assert np.abs(answered - model.encode(cut, dictionary).numpy()).max() <= TOLERANCE
    assert "laser2.pt, laser: 5-layer bidirectional LSTM, max pooling" in done.stdout


@pytest.fixture(scope="module")
def laser2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with laser2.pt and laser2.spm, which tests leave as they are."""
    folder = tmp_path_factory.mktemp("laser2")
    original.write(folder / "laser2.pt", original.write_model(folder / "laser2.spm"))
    return folder


@pytest.mark.brief
def test_laser_1_reads_tokens_and_cuts_them(tmp_path: Path) -> None:
    """LASER 1's tokens are cut by fastBPE's codes."""
    dictionary = original.write_codes(tmp_path / "93langs.fcodes")
    model = original.write(tmp_path / "bilstm.pt", dictionary)
    imported(tmp_path / "bilstm.pt", "--codes", tmp_path / "93langs.fcodes")
    subwords = {
        "there dragons": ["there", "dra@@", "g@@", "o@@", "ns"],
        "a  there ,": ["a", "there", ","],
        "th% on": ["th@@", "%", "o@@", "n"],
    }
    answered = embedded(tmp_path, list(subwords))
    assert np.abs(answered - model.encode(list(subwords.values()), dictionary).numpy()).max() <= TOLERANCE
    assert any("Moses scripts" in note for note in notes(tmp_path))


def transformer(source: dict[str, Any]) -> None:
    source["cfg"] = source.pop("params")


def wordless(source: dict[str, Any]) -> None:
    del source["dictionary"]


def moved(source: dict[str, Any]) -> None:
    source["dictionary"]["</s>"] = 5


def beyond(source: dict[str, Any]) -> None:
    source["dictionary"]["▁dragons"] = 999


def mixed(source: dict[str, Any]) -> None:
    source["params"]["num_layers"] = 4


def more(source: dict[str, Any]) -> None:
    source["model"]["decoder.weight"] = torch.zeros(2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (transformer, "is a transformer of LASER 3; only LASER's LSTM encoders can be imported"),
        (wordless, "has no `dictionary` of pieces"),
        (moved, "the dictionary has </s> in row 5, LASER in row 2"),
        (beyond, "and the table has 53 rows: '▁dragons' would get row 999"),
        (mixed, "params say num_layers = 4, and the weights are of 5"),
        (more, "decoder.weight is none of LASER's tensors"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_is_one_line(
    tmp_path: Path, laser2: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    """A refusal is one line, and nothing is written."""
    source = torch.load(laser2 / "laser2.pt", weights_only=True)
    change(source)
    torch.save(source, tmp_path / "laser2.pt")
    options = ("--format", "laser", "--spm", laser2 / "laser2.spm")
    assert message in refused("import", tmp_path / "laser2.pt", "--out", tmp_path / "new", *options)


def test_pieces_are_one_file_s(tmp_path: Path) -> None:
    original.write(tmp_path / "laser2.pt", original.write_codes(tmp_path / "codes"))

    def line(*options: str | Path) -> str:
        return refused("import", tmp_path / "laser2.pt", "--out", tmp_path / "new", *options)

    assert "name LASER 2's SentencePiece model (laser2.spm) with --spm" in line()
    assert "give one of them" in line("--spm", tmp_path / "codes", "--codes", tmp_path / "codes")
    assert "codes is no SentencePiece model" in line("--spm", tmp_path / "codes")
