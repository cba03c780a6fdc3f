"""Tables of normalisation: characters become what SentencePiece makes of them, or the table is refused."""

import unicodedata
from pathlib import Path

import pytest

from bothends_importing.tokenising.definition import TokenisingError
from bothends_importing.tokenising.sentencepiece import tokenise_sentencepiece

from .hard_texts import HARD
from .sentencepiece_models import Case, train


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 19])
def test_every_character_is_normalised_as_the_library_does(tmp_path: Path, every: int) -> None:
    """Characters that are assigned, all or one of some, before and after a letter and a mark, give the library's ids.

    Bytes in the vocabulary show any difference.
    """
    case = Case(train(tmp_path, model_type="bpe", byte_fallback=True), {"model_type": "bpe"})
    points = [p for p in range(1, 0x30000, every) if unicodedata.category(chr(p)) not in ("Cn", "Cs", "Co")]
    marks = "\u0301\u0323\u0302\u05b7\u0651\u3099\u1161\u11a8"
    texts = [f"{chr(p)}{marks[p % 8]} e{chr(p)}{marks[p % 7]}" for p in points if not 0x4E00 <= p <= 0xA4CF]
    wrong = [text for text in texts if case.differs(text) is not None]
    assert [ascii(text) for text in wrong] == []


def test_a_table_of_the_models_own_is_taken_where_it_can_be(tmp_path: Path) -> None:
    """Single characters to anything, and sequences to what Unicode composes of them; no other sequence."""
    own = {"normalization_rule_tsv": str(tmp_path / "rules.tsv")}
    for rules in ("65 301\tE9\n6F\t30 31\n4F\t\n", "6F\t30 31\n"):
        (tmp_path / "rules.tsv").write_text(rules, encoding="utf-8")
        case = Case(train(tmp_path, **own), own)
        for text in [*HARD, "Oo e\u0301 E\u0301 \u0301o o\u0301"]:
            assert case.differs(text) is None, ascii(text)
    (tmp_path / "rules.tsv").write_text("65 301\tE9\n74 68\tFE\n", encoding="utf-8")
    with pytest.raises(TokenisingError, match=r"small\.model: its table of normalisation maps 'th' to '\\xfe'"):
        tokenise_sentencepiece(train(tmp_path, **own), rows=5000)
