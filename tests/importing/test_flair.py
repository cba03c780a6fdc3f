"""flair's DocumentRNNEmbeddings over word vectors, from what `save_embeddings()` gives to a server's vectors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from . import original_flair as original
from .end_to_end import TOLERANCE, embedded, imported, notes, refused, served

WORDS = ["the", "dog", "dogs", "straße", "n't", ".", ",", "ὁδός", "don't"]
SENTENCES = [
    "The dog .",
    "DOGS don't , unheard",
    "the",
    "unheard words only",
    "STRASSE Straße ὉΔΌΣ .",
    "1999 dogs in 7 days",
]


def tokens(sentences: list[str]) -> list[list[str]]:
    return [sentence.split() for sentence in sentences]


@pytest.mark.brief
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(
    ("rnn_type", "options"),
    [("GRU", {}), ("LSTM", {"reproject": None}), ("LSTM", {"reproject": 9, "stable": True})],
    ids=["gru", "lstm, not reprojected", "lstm, stable"],
)
def test_it_embeds_as_the_original_does(
    tmp_path: Path, bidirectional: bool, rnn_type: str, options: dict[str, Any]
) -> None:
    """A vocabulary in lower case and without digits: every word is found as flair finds it."""
    model = original.write(tmp_path / "document.pt", WORDS, bidirectional=bidirectional, rnn_type=rnn_type, **options)
    done = imported(tmp_path / "document.pt", "--tokenised")
    answered = embedded(tmp_path, SENTENCES)
    assert np.abs(answered - model.embed(tokens(SENTENCES)).numpy()).max() <= TOLERANCE
    assert "document.pt, flair: 2-layer" in done.stdout
    assert ("input_projection.weight" in done.stdout) == (model.reproject is not None)


@pytest.mark.parametrize(
    ("vocabulary", "why"),
    [([*WORDS, "0000", "1999", "#"], "digits"), ([*WORDS, "The", "US"], "capitals")],
    ids=["digits", "capitals"],
)
def test_words_told_beforehand_are_found_as_flair_finds_them(tmp_path: Path, vocabulary: list[str], why: str) -> None:
    """A file of words makes up for a tokenizer.json, which can't look for one spelling after another."""
    model = original.write(tmp_path / "document.pt", vocabulary)
    line = refused("import", tmp_path / "document.pt", "--out", tmp_path / "new", "--tokenised")
    assert f"this vocabulary has {why}" in line
    told = tmp_path / "told.txt"
    told.write_text("\n".join([*SENTENCES, "2024 7 The US THE us"]), encoding="utf-8")
    sentences = [*SENTENCES, "2024 THE the The us", "7 dogs", "1999 US"]
    imported(tmp_path / "document.pt", "--tokenised", "--words", told)
    assert np.abs(served(tmp_path, sentences) - model.embed(tokens(sentences)).numpy()).max() <= TOLERANCE
    assert any("nor in told.txt is unknown" in note for note in notes(tmp_path))


def contextual(params: dict[str, Any]) -> None:
    params["embeddings"]["embeddings"] = [{"__cls__": "TransformerWordEmbeddings"}]


def plain(params: dict[str, Any]) -> None:
    params["rnn_type"] = "RNN_TANH"


def nameless(params: dict[str, Any]) -> None:
    del params["__cls__"]


def wordless(params: dict[str, Any]) -> None:
    params["embeddings"]["embeddings"][0]["vocab"].pop("dog")


def last(params: dict[str, Any]) -> None:
    params["embeddings"]["embeddings"][0]["vocab"]["dog"] = 9


def twice(params: dict[str, Any]) -> None:
    params["embeddings"]["embeddings"][0]["vocab"]["dogs"] = 0


def more(params: dict[str, Any]) -> None:
    params["state_dict"]["decoder.weight"] = torch.zeros(2, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (contextual, "reads TransformerWordEmbeddings; one WordEmbeddings"),
        (plain, "rnn_type is RNN_TANH, not LSTM or GRU"),
        (nameless, "save it with torch.save(embeddings.save_embeddings(), FILE)"),
        (wordless, "a vocabulary of 8 words needs one row more"),
        (last, "the vocabulary puts 'dog' in row 9; words have rows 0 to 8, and the last is of unknown ones"),
        (twice, "its vocabulary: 'the' and 'dogs' both have row 0; which of them is it?"),
        (more, "decoder.weight is of no part that can be imported"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_is_one_line(tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str) -> None:
    """A refusal is one line, and nothing is written."""
    params = original.write(tmp_path / "document.pt", WORDS).save_embeddings()
    change(params)
    torch.save(params, tmp_path / "document.pt")
    line = refused("import", tmp_path / "document.pt", "--out", tmp_path / "new", "--format", "flair", "--tokenised")
    assert message in line


def test_text_has_to_come_tokenised(tmp_path: Path) -> None:
    original.write(tmp_path / "document.pt", WORDS)
    line = refused("import", tmp_path / "document.pt", "--out", tmp_path / "new")
    assert "flair splits text with segtok" in line
    assert "--tokenised" in line
