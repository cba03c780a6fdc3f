"""A tokenizer.json that is there already is taken as it stands, or refused by the token that the table lacks."""

import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers

from bothends_importing.tokenising.definition import TokenisingError
from bothends_importing.tokenising.existing import read_tokenizer

_PARTS = ("truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder")


def _file(folder: Path, tokenizer: tokenizers.Tokenizer) -> Path:
    path = folder / "tokenizer.json"
    path.write_text(tokenizer.to_str(), encoding="utf-8")
    return path


@pytest.fixture
def words() -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0, "a": 1, "b": 2}, unk_token="[UNK]"))  # noqa: S106  a token of text
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return tokenizer


def test_it_is_taken_as_it_stands(tmp_path: Path, toy_tokenizer: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(toy_tokenizer, encoding="utf-8")
    size = tokenizers.Tokenizer.from_str(toy_tokenizer).get_vocab_size()
    tokenising = read_tokenizer(path, rows=size)
    assert tokenising.definition == toy_tokenizer
    assert tokenising.rows == list(range(size))


def test_tokens_may_be_added_that_the_table_has(tmp_path: Path, words: tokenizers.Tokenizer) -> None:
    words.add_special_tokens(["[CLS]"])
    assert read_tokenizer(_file(tmp_path, words), rows=4).rows == [0, 1, 2, 3]


def test_ids_may_have_gaps_that_are_said(tmp_path: Path) -> None:
    """Rows without a token, between others and behind them, are refused unless they are said to have none."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0, "b": 3}, unk_token="[UNK]"))  # noqa: S106  a token of text
    assert read_tokenizer(_file(tmp_path, tokenizer), rows=6, unused={1, 2, 4, 5}).rows == [0, 1, 2, 3]
    with pytest.raises(TokenisingError, match=r"json: 2 words, and the table has 6 rows: no word has rows 1-2 and 4-5"):
        read_tokenizer(_file(tmp_path, tokenizer), rows=6)
    with pytest.raises(TokenisingError, match=r"unused_rows says that row 3 has no word, and 'b' has it"):
        read_tokenizer(_file(tmp_path, tokenizer), rows=4, unused={1, 2, 3})


def test_two_tokens_of_one_id_are_refused(tmp_path: Path) -> None:
    model = {"type": "WordLevel", "vocab": {"[UNK]": 0, "a": 1, "b": 1}, "unk_token": "[UNK]"}
    whole: dict[str, Any] = {"version": "1.0", "model": model, "added_tokens": [], **dict.fromkeys(_PARTS)}
    (tmp_path / "tokenizer.json").write_text(json.dumps(whole), encoding="utf-8")
    with pytest.raises(TokenisingError, match="both have row 1; which of them is it"):
        read_tokenizer(tmp_path / "tokenizer.json", rows=2)


def test_a_special_token_that_the_table_lacks_is_named(tmp_path: Path, words: tokenizers.Tokenizer) -> None:
    words.add_special_tokens(["[CLS]"])
    with pytest.raises(TokenisingError, match=r"adds the token '\[CLS\]' with id 3; the table has rows 0 to 2"):
        read_tokenizer(_file(tmp_path, words), rows=3)


def test_a_vocabulary_larger_than_the_table_is_named(tmp_path: Path, words: tokenizers.Tokenizer) -> None:
    with pytest.raises(TokenisingError, match=r"has the token 'b' with id 2; the table has rows 0 to 1"):
        read_tokenizer(_file(tmp_path, words), rows=2)


def test_a_token_around_texts_that_is_in_no_vocabulary_is_refused(tmp_path: Path, words: tokenizers.Tokenizer) -> None:
    words.post_processor = tokenizers.processors.TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 9)])
    with pytest.raises(TokenisingError, match="sets a token of id 9 around a text"):
        read_tokenizer(_file(tmp_path, words), rows=10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "makes no tokenizer"),
        ("{}", "makes no tokenizer"),
        ('{"a": ', "makes no tokenizer"),
        (tokenizers.Tokenizer(tokenizers.models.BPE()).to_str(), "vocabulary is empty"),
        (tokenizers.Tokenizer(tokenizers.models.WordLevel({"b": 0}, unk_token="[UNK]")).to_str(), "makes no tokenizer"),  # noqa: S106  a token of text
    ],
)
def test_a_file_that_defines_no_tokenizer_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "tokenizer.json").write_text(text, encoding="utf-8")
    with pytest.raises(TokenisingError, match=message) as refused:
        read_tokenizer(tmp_path / "tokenizer.json", rows=10)
    assert str(refused.value).startswith(str(tmp_path))
    assert str(refused.value).isprintable()
