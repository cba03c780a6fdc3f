"""AllenNLP's Seq2Vec encoders, from a model.tar.gz, its folder, or its weights alone, to a server's vectors."""

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from . import original_allennlp as original
from .end_to_end import TOLERANCE, embedded, imported, notes, refused, served

TOKENS = ["the", "dog", "dogs", "The", "n't", ".", ",", "straße", "1"]
SENTENCES = ["The dog .", "dogs  do n't", "THE\tstraße 1 , unheard", "unheard", "the"]


def tokens(sentences: list[str]) -> list[list[str]]:
    return [sentence.split() for sentence in sentences]


@pytest.mark.brief
@pytest.mark.parametrize(
    ("cell", "bidirectional", "options"),
    [
        ("lstm", True, {}),
        ("gru", False, {"projection": 4}),
        ("lstm", False, {"feedforward": [6]}),
        ("gru", True, {"feedforward": [6], "activation": "tanh"}),
    ],
    ids=["plain", "projected", "feedforward", "feedforward, tanh"],
)
def test_it_embeds_as_the_original_does(
    tmp_path: Path, cell: str, bidirectional: bool, options: dict[str, Any]
) -> None:
    """An import embeds to the vectors that the original's classification layer reads."""
    model = original.make(TOKENS, cell=cell, bidirectional=bidirectional, **options)
    source = original.write(tmp_path / "model.tar.gz", model)
    done = imported(source)
    answered = embedded(tmp_path, SENTENCES)
    assert np.abs(answered - model.embed(tokens(SENTENCES)).numpy()).max() <= TOLERANCE
    assert "model.tar.gz, allennlp: 2-layer" in done.stdout
    assert notes(tmp_path) == [
        "Left out, as they come after the embedding: _classification_layer.weight, _classification_layer.bias."
    ]


def test_lower_case_comes_from_the_config(tmp_path: Path) -> None:
    model = original.make(TOKENS)
    imported(original.write(tmp_path / "model.tar.gz", model, lowercase_tokens=True))
    expected = model.embed(tokens(SENTENCES), lower=True).numpy()
    assert np.abs(served(tmp_path, SENTENCES) - expected).max() <= TOLERANCE


def test_marks_come_from_the_config(tmp_path: Path) -> None:
    model = original.make([*TOKENS, "<s>", "</s>"])
    marks = {"start_tokens": ["<s>"], "end_tokens": [".", "</s>"]}
    imported(original.write(tmp_path / "model.tar.gz", model, **marks))
    marked = [["<s>", *sentence, ".", "</s>"] for sentence in tokens(SENTENCES)]
    assert np.abs(embedded(tmp_path, SENTENCES) - model.embed(marked).numpy()).max() <= TOLERANCE


@pytest.mark.parametrize("tokenizer", [None, {"type": "spacy", "pos_tags": False}])
def test_a_tokenizer_that_can_t_be_had_needs_tokenised_text(tmp_path: Path, tokenizer: Any) -> None:
    """spaCy's, which readers have by default, runs a program of its own."""
    model = original.make(TOKENS)
    source = original.write(tmp_path / "model.tar.gz", model, tokenizer=tokenizer or "spacy")
    assert "which no tokenizer.json equals; with --tokenised" in refused("import", source, "--out", tmp_path / "new")
    imported(source, "--tokenised")
    assert np.abs(embedded(tmp_path, SENTENCES) - model.embed(tokens(SENTENCES)).numpy()).max() <= TOLERANCE
    assert any("send sentences as tokens" in note for note in notes(tmp_path))


def test_a_folder_or_weights_alone_will_do(tmp_path: Path) -> None:
    """Weights alone with their vocabulary, which says nothing of how text became tokens."""
    model = original.make(TOKENS)
    folder = tmp_path / "unpacked"
    (tmp_path / "alone").mkdir()
    with tarfile.open(original.write(tmp_path / "model.tar.gz", model)) as archive:
        archive.extractall(folder, filter="data")
    expected = model.embed(tokens(SENTENCES)).numpy()
    imported(folder)
    assert np.abs(embedded(tmp_path, SENTENCES) - expected).max() <= TOLERANCE
    weights = (folder / "weights.th").rename(tmp_path / "alone" / "weights.th")
    line = refused("import", weights, "--out", weights.parent / "new")
    assert "has no vocabulary; give the folder that AllenNLP wrote with --vocabulary" in line
    imported(weights, "--vocabulary", folder / "vocabulary")
    assert np.abs(embedded(weights.parent, SENTENCES) - expected).max() <= TOLERANCE
    assert any("doesn't say how text became tokens" in note for note in notes(weights.parent))


def test_a_head_that_can_t_be_mapped_can_be_left_out(tmp_path: Path) -> None:
    """Two layers, or an activation that isn't known."""
    for options, message in (
        ({"feedforward": [6, 3]}, "_feedforward._linear_layers.* has 2 layers, and one after the pooling"),
        ({"feedforward": [6], "activation": "gelu"}, "the feedforward's activation is gelu, and linear, tanh, relu"),
    ):
        folder = tmp_path / message[:3]
        folder.mkdir()
        model = original.make(TOKENS, **options)
        source = original.write(folder / "model.tar.gz", model)
        line = refused("import", source, "--out", folder / "new")
        assert message in line
        assert "--no-head" in line
        imported(source, "--no-head")
        expected = model.embed(tokens(SENTENCES), with_head=False).numpy()
        assert np.abs(embedded(folder, SENTENCES) - expected).max() <= TOLERANCE


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    """A refusal is one line, and nothing is written."""
    model = original.make(TOKENS)
    source, out = tmp_path / "model.tar.gz", tmp_path / "new"

    def line(**changes: Any) -> str:
        return refused("import", original.write(source, model, **changes), "--out", out)

    model.tokens.append("one more")
    assert "tokens.txt of its vocabulary has 11 tokens, 12 with padding; the table has 11 rows" in line()
    model.tokens.pop()
    assert "no token indexer tokens of the type single_id" in line(type="characters")
    assert "looked up by ent_type_, not text" in line(feature_name="ent_type_")
    assert "'<s>' is set around each sentence, but is no word" in line(start_tokens=["<s>"])
    assert "model.tar.gz: vocabulary/words.txt can't be read: No such file" in line(namespace="words")
    model._seq2seq_encoder = torch.nn.LSTM(7, 7)
    assert "_seq2seq_encoder.weight_ih_l0 is of a part that can't be imported" in line()
    del model._seq2seq_encoder
    model._seq2vec_encoder._module.extra = torch.nn.Parameter(torch.zeros(2))
    assert "_seq2vec_encoder._module.extra is no tensor of an LSTM or GRU" in line()
    del model._seq2vec_encoder
    assert "has no tensors of a Seq2Vec encoder of lstm or gru, and one is needed" in line()


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    source, out = original.write(tmp_path / "model.tar.gz", original.make(TOKENS)), tmp_path / "new"
    whole = source.read_bytes()
    source.write_bytes(whole[: len(whole) // 2])
    assert "model.tar.gz is damaged, cut off perhaps" in refused("import", source, "--out", out)
    with tarfile.open(source, "w:gz") as archive:
        entry = tmp_path / "config.json"
        entry.write_text(json.dumps({}))
        archive.add(entry, "config.json")
    assert "has no weights.th nor best.th; an AllenNLP model holds" in refused("import", source, "--out", out)
