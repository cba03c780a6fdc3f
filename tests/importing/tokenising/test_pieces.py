"""Pieces of a model: the entries that they become, or a line that says why there can be none."""

from pathlib import Path
from typing import Any

import pytest

from bothends_importing.tokenising.definition import TokenisingError
from bothends_importing.tokenising.sentencepiece import tokenise_sentencepiece

from .hard_texts import HARD
from .sentencepiece_models import PLAIN, Case, train


def test_a_less_than_sign_that_is_no_piece_becomes_its_byte(tmp_path: Path) -> None:
    """A `<` stands apart in byte models: it becomes another character, so that no byte piece is found by its name."""
    path = train(tmp_path, without="<", byte_fallback=True, **PLAIN)
    case = Case(path, {})
    assert case.original.piece_to_id("<") == case.original.unk_id()
    for text in ["<", "a < b <<", "<0x41> <0x3C> <0x20>", *HARD]:
        assert case.differs(text) is None, ascii(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model_type": "bpe", "user_defined_symbols": ["<ent>"]}, "supported in unigram models only"),
        ({"model_type": "word"}, "a model of words"),
    ],
)
def test_models_that_can_not_be_had_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TokenisingError, match=message):
        tokenise_sentencepiece(train(tmp_path, **PLAIN, **options), rows=5000)


def test_a_piece_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.model").write_bytes(train(tmp_path, **PLAIN).read_bytes().replace("▁the".encode(), b"\xff\xffathe"))
    with pytest.raises(TokenisingError, match="a piece that is no UTF-8 text"):
        tokenise_sentencepiece(tmp_path / "x.model", rows=5000)
