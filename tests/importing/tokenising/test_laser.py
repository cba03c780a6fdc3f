"""LASER 2's preprocessing and pieces, LASER 1's merges: the rows that LASER's own pipeline gives."""

import io
import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st
from subword_nmt.apply_bpe import BPE
from subword_nmt.learn_bpe import learn_bpe

from bothends_importing.tokenising.definition import TokenisingError
from bothends_importing.tokenising.laser import MOSES, tokenise_laser1, tokenise_laser2

from .hard_texts import HARD, TEXTS, Ours
from .sentencepiece_models import train

_QUOTES = st.lists(
    st.sampled_from(
        [
            *"ab19 \u00a0()\"'.,:;!?%«»‘’‚“”„–—´`…º",
            "nº\u00a0",
            "\u00a0ºC",
            "\u00a0cm",
            "a‘b",
            "’b",
            '",',
            '".',
            ") .",
            "''",
        ]
    ),
    max_size=14,
).map("".join)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("laser"))


@pytest.fixture(scope="module")
def dictionary(model: Path) -> dict[str, int]:
    """A dictionary as a checkpoint has it: fairseq's four, then most of the pieces, in an order of its own."""
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(model))
    names = [pieces.id_to_piece(index) for index in range(3, len(pieces)) if index % 6]
    return {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3} | {name: row for row, name in enumerate(reversed(names), 4)}


@pytest.fixture(scope="module")
def original(model: Path, dictionary: dict[str, int]) -> Callable[[str], list[int]]:
    """Rows that LaserTokenizer and SentenceEncoder of laser_encoders 0.0.2 give, by the same two libraries."""
    from sacremoses import MosesPunctNormalizer  # half a second, which collecting tests needn't take

    moses = MosesPunctNormalizer("en", perl_parity=True)
    moses.substitutions[21], moses.substitutions[22] = ("‘", '"'), ("‚", '"')
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(model))

    def rows(text: str) -> list[int]:
        printing = "".join(" " if unicodedata.category(character)[0] == "C" else character for character in text)
        line = " ".join(pieces.encode(moses.normalize(printing).lower(), out_type=str))
        return [dictionary.get(piece, 3) for piece in re.sub(r"\s+", " ", line).strip().split()] + [2]

    return rows


@pytest.fixture(scope="module")
def ours(model: Path, dictionary: dict[str, int]) -> Ours:
    return Ours(tokenise_laser2(model, dictionary, rows=len(dictionary)))


def _same(ours: list[int], theirs: list[int]) -> bool:
    """Compare rows; the same pieces in another order are two ways to cut a run that score the same."""
    return ours == theirs or sorted(ours) == sorted(theirs)


def test_hard_text_gives_lasers_rows(ours: Ours, original: Callable[[str], list[int]]) -> None:
    for text in HARD:
        assert _same(ours.rows(text), original(text)), ascii(text)


@settings(max_examples=300)
@given(text=TEXTS | _QUOTES)
def test_any_text_gives_lasers_rows(ours: Ours, original: Callable[[str], list[int]], text: str) -> None:
    assert _same(ours.rows(text), original(text))


def test_entries_that_only_unknown_text_can_reach_are_said(model: Path, dictionary: dict[str, int]) -> None:
    rows = len(dictionary)
    assert not any("dictionary" in note for note in tokenise_laser2(model, dictionary, rows=rows).notes)
    more = tokenise_laser2(model, {**dictionary, "龘": rows}, rows=rows + 1)
    assert any(note.startswith("1 entries of LASER's dictionary") for note in more.notes)


def test_lasers_four_rows_are_always_the_same(model: Path, dictionary: dict[str, int]) -> None:
    """LASER's encoder sets four rows in the dictionary that it loads, whatever stands there."""
    odd = Ours(tokenise_laser2(model, {**dictionary, "<unk>": 70, "</s>": 71}, rows=len(dictionary)))
    assert odd.rows("龘") == [dictionary.get("▁", 3), 3, 2]


def test_a_dictionary_that_does_not_fit_is_refused(model: Path, dictionary: dict[str, int]) -> None:
    rows = len(dictionary)
    with pytest.raises(TokenisingError, match=rf"LASER's dictionary: {rows + 1} words, .* '龘' would get row {rows}"):
        tokenise_laser2(model, {**dictionary, "龘": rows}, rows=rows)
    with pytest.raises(TokenisingError, match=rf"no word has row {rows}\."):
        tokenise_laser2(model, dictionary, rows=rows + 1)
    assert tokenise_laser2(model, dictionary, rows=rows + 1, unused={rows}).rows
    with pytest.raises(TokenisingError, match="both have row 9; which of them"):
        tokenise_laser2(model, {**dictionary, "龘": 9}, rows=rows)
    with pytest.raises(TokenisingError, match="no valid Unicode"):
        tokenise_laser2(model, {**dictionary, "\ud800": 4}, rows=rows)


@pytest.fixture(scope="module")
def codes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """fastBPE's file: subword-nmt's, which has the same merges, with a count behind each and no head."""
    learnt = io.StringIO()
    text = "\n".join(" ".join(text.lower().split()) for text in HARD)
    learn_bpe(io.StringIO(text), learnt, 250, min_frequency=1)
    lines = learnt.getvalue().splitlines()[1:]
    path = tmp_path_factory.mktemp("codes") / "93langs.fcodes"
    path.write_text("".join(f"{line} {9999 - at}\n" for at, line in enumerate(lines)), encoding="utf-8")
    return path


def _merged(codes: Path) -> BPE:
    pairs = [line.rsplit(" ", 1)[0] for line in codes.read_text(encoding="utf-8").split("\n") if line]
    return BPE(io.StringIO("#version: 0.2\n" + "\n".join(pairs) + "\n"))


def test_laser_1_merges_as_the_codes_say(codes: Path) -> None:
    """Rows are those of subword-nmt, whose merges fastBPE has. A third of its subwords are unknown."""
    bpe = _merged(codes)
    found = dict.fromkeys(part for text in HARD for word in text.split() for part in bpe.segment_tokens([word]))
    dictionary = {part: row for row, part in enumerate((part for at, part in enumerate(found) if at % 3), 4)}
    tokenising = tokenise_laser1(codes, dictionary, rows=len(dictionary) + 4)
    assert MOSES in tokenising.notes
    ours = Ours(tokenising)
    for text in HARD:
        assert ours.rows(text) == [dictionary.get(part, 3) for part in bpe.segment_tokens(text.split())] + [2], ascii(
            text
        )


@pytest.mark.parametrize(
    ("line", "message"),
    [("a b", ":2: expected"), ("a b c", ":2: expected"), ("a  3", ":2: expected"), ("t h 3", "stands in line 1 too")],
)
def test_codes_that_are_none_are_refused_by_line(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "x.fcodes").write_text(f"t h 7\n{line}\n", encoding="utf-8")
    with pytest.raises(TokenisingError, match=re.escape(message)):
        tokenise_laser1(tmp_path / "x.fcodes", {}, rows=4)


def test_a_preprocessing_unlike_laser_s_is_refused(
    model: Path, dictionary: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof starts from text, where sacremoses is installed."""
    monkeypatch.setattr("bothends_importing.tokenising.laser.preprocessing", list)
    with pytest.raises(TokenisingError, match="LASER gives other rows for"):
        tokenise_laser2(model, dictionary, rows=len(dictionary))
    monkeypatch.setitem(sys.modules, "sacremoses", None)
    assert tokenise_laser2(model, dictionary, rows=len(dictionary)).rows
