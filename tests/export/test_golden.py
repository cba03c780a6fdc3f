"""Golden sentences that no vocabulary escapes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch

from bothends.encoder import Encoder
from bothends.model.architecture import Attention, EncoderConfig
from bothends.model.bundle import Bundle
from bothends_export import checkpoint, golden
from bothends_export.checkpoint_config import CheckpointConfig
from bothends_export.encoder import Encoder as TorchEncoder
from bothends_export.export import export
from bothends_importing.tokenising.word_rules import WordRules
from bothends_importing.tokenising.words import tokenise_words
from tests.importing.end_to_end import bothends

Make = Callable[[list[str], str | None], Path]


@pytest.fixture
def checkpoint_of(tmp_path: Path) -> Make:
    """Makes a checkpoint of these words; others are dropped, or become `unknown`."""

    def make(words: list[str], unknown: str | None) -> Path:
        rules = WordRules("whitespace", lowercase=False, unknown=unknown)
        tokenising = tokenise_words({word: row for row, word in enumerate(words)}, rules, rows=len(words))
        sizes = EncoderConfig(vocabulary_size=len(words), embedding_size=4, hidden_size=4, layers=1)
        config = CheckpointConfig(name="words", version="1", max_tokens=16, encoder=sizes)
        made = TorchEncoder(sizes)
        checkpoint.save(tmp_path / "made", made, config, tokenising.definition, table_dtype=torch.float32)
        return tmp_path / "made"

    return make


@pytest.mark.parametrize("unknown", [None, "ойу"])
def test_a_vocabulary_without_english_gets_sentences_of_its_own_words(
    checkpoint_of: Make, tmp_path: Path, unknown: str | None
) -> None:
    """No word of the usual sentences is known: left out, they leave nothing, and unknown, all of them one row."""
    words = ["ойу", *(f"слово{row}" for row in range(300))]
    opened = export(checkpoint.load(checkpoint_of(words, unknown)), tmp_path / "bundle")
    ids = {index for found in opened.golden.token_ids for index in found}
    assert len(ids) > 30
    assert max(ids) > 250
    assert max(map(len, opened.golden.token_ids)) == 16
    assert (set(golden.SENTENCES) & set(opened.golden.sentences) != set()) == (unknown is not None)
    with Encoder.load(opened.path, device="cpu", engine="onnxruntime", workers=1) as encoder:
        assert encoder.encode("слово7").shape == (8,)


def test_a_tokenizer_that_finds_no_token_is_refused_in_a_line(checkpoint_of: Make, tmp_path: Path) -> None:
    folder = checkpoint_of(["слово"], None)
    made = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    made.normalizer = tokenizers.normalizers.Replace(tokenizers.Regex("."), "")
    made.save(str(folder / "tokenizer.json"))
    result = bothends("export", folder, "--out", tmp_path / "bundle")
    assert result.exit_code == 1
    assert "no golden sentence can be made: the tokenizer finds no token in English, nor in the words" in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("shape", "is_told"),
    [
        ({}, False),
        ({"pooling": "max"}, True),
        ({"pooling": "attention", "attention": Attention(size=5)}, True),
        ({"pooling": "attention", "attention": Attention(size=5, hops=2)}, False),
    ],
    ids=str,
)
def test_the_distance_to_the_final_states_is_told_where_vectors_are_as_wide(
    make_bundle: Callable[..., Bundle], shape: dict[str, Any], is_told: bool
) -> None:
    cosine = make_bundle(**shape).config.cosine_to_final_states
    assert (cosine is not None and -1 <= cosine < 0.999) == is_told
    assert (cosine is None) == (not is_told)


def test_english_is_read_as_ever(toy_bundle: Bundle) -> None:
    """A vocabulary that reads the usual sentences gets no others."""
    assert set(toy_bundle.golden.sentences) <= set(golden.SENTENCES)
