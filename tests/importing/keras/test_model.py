"""Keras models become encoders that embed as Keras does, or are refused with the layer that can't be mapped."""

import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from bothends_export.encoder import Encoder
from bothends_importing.keras import model as keras
from bothends_importing.pytorch.statedict import MappedEncoder
from bothends_importing.readers.file import SourceError, open_weights
from tests.importing.end_to_end import TOLERANCE, embedded, imported, refused
from tests.importing.readers.hostile import problem, refusal

pytestmark = pytest.mark.slow  # Keras writes its models in a process of its own

LENGTHS = (1, 2, 5, 9, 31)
MAPPED = (
    "bilstm",
    "bigru",
    "lstm-without-bias",
    "gru-without-bias",
    "stacked-mean",
    "max-tanh",
    "projected-norm",
    "projected-bare-norm",
    "relu-layer",
    "reset-before",
    "two-widths",
    "reset-before-widths",
    "own-backward",
)


def agree(keras_folder: Path, name: str, found: MappedEncoder) -> None:
    """Keras embedded each sentence alone; ours embeds them in one batch, with other tokens in the padding."""
    expected = np.load(keras_folder / f"{name}.npy")
    ids = torch.from_numpy(np.random.default_rng(5).integers(1, 40, (len(LENGTHS), max(LENGTHS))))
    with torch.no_grad():
        ours = Encoder.of_weights(found.encoder, found.weights)(ids, torch.tensor(LENGTHS)).embedding.numpy()
    assert ours.shape == expected.shape
    assert np.abs(ours - expected).max() <= 1e-5
    assert expected.std(axis=0).max() > 1e-2  # sentences differ: agreement means something


@pytest.mark.parametrize("suffix", ["keras", "h5", "weights.h5"])
@pytest.mark.parametrize("name", MAPPED)
def test_a_model_embeds_as_in_keras(keras_folder: Path, name: str, suffix: str) -> None:
    source = open_weights(keras_folder / f"{name}.{suffix}")
    assert source.kind == "keras"
    found = keras.map_model(source, config=keras_folder / f"{name}.json" if suffix == "weights.h5" else None)
    agree(keras_folder, name, found)
    assert set(found.origins.values()) == set(source.tensors)


@pytest.mark.parametrize("name", MAPPED)
def test_weights_called_as_keras_2_called_them(keras_folder: Path, tmp_path: Path, name: str) -> None:
    """Names that are bytes, with ":0" at the end, and in no group of the model's, are found."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(keras_folder / f"{name}.h5") as new, h5py.File(tmp_path / "w.h5", "w") as old:
        old.attrs["model_config"] = new.attrs["model_config"].encode()
        for layer, group in new["model_weights"].items():
            names = list(group.attrs["weight_names"])
            own = old.create_group(f"model_weights/{layer}")
            own.attrs["weight_names"] = [f"{each}:0".encode() for each in names]
            for each in names:
                own[f"{each}:0"] = group[each][...]
    agree(keras_folder, name, keras.map_model(open_weights(tmp_path / "w.h5")))


REFUSED = {
    "relu-cell": "activation = relu",
    "hard-sigmoid": "recurrent_activation = hard_sigmoid",
    "sum": "merge_mode = sum",
    "backwards": "go_backwards = True",
    "stateful": "stateful = True",
    "other-backward": "a backward layer unlike its forward one",
    "simple": 'SimpleRNN "simple_rnn" where an encoder has an LSTM',
    "simple-both": "is of SimpleRNN, where LSTM or GRU can be mapped",
    "two-kinds": "stacked on another kind of cells",
    "sequences": "nothing after cells that return sequences",
    "sequences-dense": "after cells that return sequences, where GlobalMaxPooling1D",
    "softmax": "ends in softmax, where linear, tanh or relu can be mapped",
    "two-dense": "comes after the head",
    "batch-norm": "can't be mapped after pooling",
    "tanh-before": "stands before the cells with an activation",
    "keepdims": "keeps or swaps axes",
    "rms-norm": "by the root mean square",
    "no-table": "an encoder begins with an Embedding",
    "no-cells": "where an encoder has an LSTM",
    "branched": "is made of 2 tensors",
    "shared": "is used 2 times",
    "own-mask": "is made of 2 tensors",
    "subclassed": "a Sequential or Functional model can be read",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_can_t_be_mapped_is_refused_by_its_layer(keras_folder: Path, name: str) -> None:
    with pytest.raises(SourceError) as caught:
        keras.map_model(open_weights(keras_folder / f"{name}.keras"))
    assert REFUSED[name] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_comes_after_pooling_may_be_left_out(keras_folder: Path) -> None:
    found = keras.map_model(open_weights(keras_folder / "two-dense.keras"), head=False)
    assert found.encoder.head is None
    assert any("Left out after pooling" in note for note in found.notes)


def test_what_padding_was_is_said(keras_folder: Path) -> None:
    notes = {name: " ".join(keras.map_model(open_weights(keras_folder / f"{name}.keras")).notes) for name in MAPPED}
    assert "Row 0 of the table is padding" in notes["bilstm"]
    assert "no mask" in notes["lstm-without-bias"]
    assert "into the maximum" in notes["max-tanh"]


def test_weights_without_layers_need_the_model_s_json(keras_folder: Path, tmp_path: Path) -> None:
    source = open_weights(keras_folder / "bilstm.weights.h5")
    with pytest.raises(SourceError, match="not its layers"):
        keras.map_model(source)
    with pytest.raises(SourceError, match="needs weights of"):
        keras.map_model(source, config=keras_folder / "bigru.json")
    with pytest.raises(SourceError, match="no layer of the model's config has"):
        keras.map_model(
            open_weights(keras_folder / "max-tanh.weights.h5"),
            config=without_last_layer(keras_folder / "max-tanh.json", tmp_path),
        )
    with pytest.raises(SourceError, match="can't be read as a model's JSON"):
        keras.map_model(source, config=keras_folder / "bilstm.h5")


def test_a_toml_names_both_layers_and_words(keras_folder: Path, tmp_path: Path) -> None:
    """Weights alone need the layers, and a table of words needs its vocabulary: one TOML says both."""
    words = ["<pad>", "<unk>", *(f"word{row}" for row in range(2, 40))]
    (tmp_path / "words.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    (tmp_path / "model.json").write_bytes((keras_folder / "bilstm.json").read_bytes())
    toml = '[tokenizer]\nvocabulary = "words.txt"\nsplit = "whitespace"\nunknown = "<unk>"\npadding = "<pad>"\n'
    (tmp_path / "encoder.toml").write_text('layers = "model.json"\n' + toml, encoding="utf-8")
    (tmp_path / "model.weights.h5").write_bytes((keras_folder / "bilstm.weights.h5").read_bytes())
    imported(tmp_path / "model.weights.h5", "--encoder", tmp_path / "encoder.toml")
    ids = np.random.default_rng(5).integers(1, 40, (len(LENGTHS), max(LENGTHS)))
    sentences = [" ".join(words[row] for row in rows[:count]) for rows, count in zip(ids, LENGTHS, strict=True)]
    whole = [index for index, rows in enumerate(ids) if LENGTHS[index] <= 24 and 1 not in rows[: LENGTHS[index]]]
    found, expected = embedded(tmp_path, [sentences[index] for index in whole]), np.load(keras_folder / "bilstm.npy")
    assert np.abs(found - expected[whole]).max() <= TOLERANCE
    (tmp_path / "encoder.toml").write_text(toml, encoding="utf-8")
    told = refused(
        "import", tmp_path / "model.weights.h5", "--encoder", tmp_path / "encoder.toml", "--out", tmp_path / "x"
    )
    assert 'layers = "model.json" in the TOML' in told


def without_last_layer(config: Path, folder: Path) -> Path:
    model = json.loads(config.read_bytes())
    model["config"]["layers"].pop()
    (folder / "less.json").write_text(json.dumps(model), encoding="utf-8")
    return folder / "less.json"


@pytest.mark.parametrize("model", ["{}", "[]", '{"class_name": "Sequential", "config": {"layers": [3]}}'])
def test_a_config_that_is_none_is_refused(keras_folder: Path, tmp_path: Path, model: str) -> None:
    (tmp_path / "model.json").write_text(model, encoding="utf-8")
    with pytest.raises(SourceError, match="none of a Keras model's"):
        keras.map_model(open_weights(keras_folder / "bilstm.weights.h5"), config=tmp_path / "model.json")


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_file_that_is_cut_off_is_refused(keras_folder: Path, tmp_path: Path, suffix: str) -> None:
    whole = (keras_folder / f"bilstm.{suffix}").read_bytes()
    (tmp_path / "w").write_bytes(whole[: len(whole) // 3])
    assert "damaged" in refusal(tmp_path / "w")


def test_a_keras_archive_without_its_parts_is_refused(keras_folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(keras_folder / "bilstm.keras") as archive:
        weights = archive.read("model.weights.h5")
    with zipfile.ZipFile(tmp_path / "w.keras", "w") as archive:
        archive.writestr("model.weights.h5", weights)
    assert "config.json" in refusal(tmp_path / "w.keras")


def test_bombs_loops_and_what_is_no_number_are_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")

    def file(name: str) -> Path:
        return tmp_path / f"{name}.h5"

    with h5py.File(file("bomb"), "w") as root:
        root.create_dataset("w", (2**16, 2**16), np.float32, compression="gzip", chunks=(64, 64))
    with h5py.File(file("loop"), "w") as root:
        root["a"] = root
    with h5py.File(file("text"), "w") as root:
        root["w"] = "weights"
    expected = {"bomb": "fill the memory", "loop": "a group that holds itself", "text": "which are no weights"}
    for name, found in expected.items():
        assert found in refusal(file(name))


def test_no_other_file_is_read(tmp_path: Path) -> None:
    """Links, external numbers and virtual datasets of HDF5 may name any file of the machine."""
    h5py = pytest.importorskip("h5py")
    secret = np.full(16, 7.5, np.float32)
    (tmp_path / "secret").write_bytes(secret.tobytes())
    with h5py.File(tmp_path / "secret.h5", "w") as root:
        root["w"] = secret
    with h5py.File(tmp_path / "linked.h5", "w") as root:
        root["w"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/w")
    with h5py.File(tmp_path / "outside.h5", "w") as root:
        root.create_dataset("w", (16,), np.float32, external=[(str(tmp_path / "secret"), 0, 64)])
    with h5py.File(tmp_path / "virtual.h5", "w") as root:
        layout = h5py.VirtualLayout((16,), np.float32)
        layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "w", (16,))
        root.create_virtual_dataset("w", layout)
    for name in ("linked", "outside", "virtual"):
        with h5py.File(tmp_path / f"{name}.h5") as root:
            assert (root["w"][...] == 7.5).all()  # the C library does
        assert problem(tmp_path / f"{name}.h5")


def test_without_pyfive_is_said_what_to_install(keras_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyfive", None)
    assert "pip install 'bothends[import]'" in refusal(keras_folder / "bilstm.h5")
