"""SentencePiece models: the library's ids on hard text, or a line that says why there can be none."""

import random
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from sentencepiece import sentencepiece_model_pb2

from bothends_importing.tokenising.definition import TokenisingError
from bothends_importing.tokenising.sentencepiece import IOTA, TIES, read_model, tokenise_sentencepiece

from .hard_texts import HARD, TEXTS
from .sentencepiece_models import MODELS, PLAIN, Case, case_of, train

SMALL = {"unigram", "unigram, user's symbols", "bpe, bytes", "bpe, odd symbols"}
"""Models that are made in a moment, or that every test of this file needs."""


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=[pytest.mark.slow] * (name not in SMALL)) for name in MODELS]
)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    return case_of(request.param, tmp_path_factory)


def test_hard_text_gives_the_librarys_ids(case: Case) -> None:
    for text in [*HARD, "a<ent>b ##<ent> [CLS] @ e ? <b>", "<0x3C><0x20>"]:
        assert case.differs(text) is None, ascii(text)


@settings(max_examples=200)
@given(text=TEXTS)
def test_any_text_gives_the_librarys_ids(case: Case, text: str) -> None:
    assert case.differs(text) is None


def test_every_piece_is_found_where_the_library_finds_it(case: Case) -> None:
    for index in range(len(case.original)):
        assert case.differs(case.original.id_to_piece(index).replace("▁", " ")) is None


RUNS = ["▁", "e\u0301", "a", "👩\u200d"]


@pytest.mark.parametrize("run", RUNS)
def test_long_runs_give_the_librarys_ids(tmp_path_factory: pytest.TempPathFactory, run: str) -> None:
    """A run of one cluster is cut as the library cuts it, however long it is."""
    assert case_of("unigram", tmp_path_factory).differs(run * (3_000 // len(run)) + "x") is None


@pytest.mark.slow
def test_what_can_differ_is_said(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert case_of("unigram", tmp_path_factory).tokenising.notes == (TIES,)
    assert case_of("bpe", tmp_path_factory).tokenising.notes == ()
    assert case_of("unigram, bytes, case folded", tmp_path_factory).tokenising.notes == (TIES, IOTA)


def test_a_model_that_gets_other_ids_than_the_library_gives_is_refused(tmp_path: Path) -> None:
    """The library leaves a user's symbol as it is, where the table here takes it apart: found by trying it."""
    path = train(tmp_path, user_defined_symbols=["½"])
    with pytest.raises(TokenisingError, match=r"small\.model: SentencePiece gives other ids for 'a\\xbdb \\xbd'"):
        tokenise_sentencepiece(path, rows=5000)


def _changed(source: Path, folder: Path, **changes: Any) -> Path:
    proto = cast("Any", sentencepiece_model_pb2).ModelProto()
    proto.ParseFromString(source.read_bytes())
    for name, value in changes.items():
        part, _, field = name.partition("__")
        setattr(getattr(proto, part), field, value)
    (folder / "changed.model").write_bytes(proto.SerializeToString())
    return folder / "changed.model"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("plain"), **PLAIN)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normalizer_spec__escape_whitespaces": False}, "escape_whitespaces"),
        ({"trainer_spec__treat_whitespace_as_suffix": True}, "treat_whitespace_as_suffix"),
        ({"trainer_spec__model_type": 3}, "a model of words"),
        ({"trainer_spec__byte_fallback": True}, "byte pieces are incomplete"),
        ({"trainer_spec__eos_piece": "</none>"}, "no control symbol '</none>'"),
        ({"normalizer_spec__precompiled_charsmap": b"\xff\xff\xff\x0f"}, "precompiled_charsmap) is broken"),
    ],
)
def test_what_can_not_be_had_is_refused_with_the_reason(
    plain: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(TokenisingError) as refused:
        tokenise_sentencepiece(_changed(plain, tmp_path, **changes), rows=5000, eos=True)
    assert message in str(refused.value)
    assert "changed.model" in str(refused.value)


def test_a_table_with_too_few_rows_is_refused(plain: Path) -> None:
    with pytest.raises(TokenisingError, match=r"small\.model: \d+ words, and the table has 10 rows: .* would get row"):
        tokenise_sentencepiece(plain, rows=10)


def test_a_table_with_more_rows_than_pieces_is_refused_unless_they_are_said(plain: Path) -> None:
    """A library that puts rows of its own before the pieces', as fairseq does, would get every piece wrong."""
    pieces = len(read_model(plain).pieces)
    with pytest.raises(TokenisingError, match=rf"no word has rows {pieces}-{pieces + 3}\. Are special tokens missing"):
        tokenise_sentencepiece(plain, rows=pieces + 4)
    assert tokenise_sentencepiece(plain, rows=pieces + 4, unused=range(pieces, pieces + 4)).rows == list(range(pieces))


def test_broken_bytes_in_a_model_are_never_more_than_a_refusal(plain: Path, tmp_path: Path) -> None:
    """Flipped and cut; what protobuf still reads may be a model of other pieces, or is refused in a line."""
    draw, data, lines = random.Random(1), plain.read_bytes(), []  # noqa: S311  places to break
    for _ in range(60):
        broken = bytearray(data)
        for _ in range(draw.choice([1, 2, 8])):
            broken[draw.randrange(len(broken))] = draw.randrange(256)
        (tmp_path / "broken.model").write_bytes(broken[: draw.choice([None, draw.randrange(len(broken))])])
        try:
            tokenise_sentencepiece(tmp_path / "broken.model", rows=5000)
        except TokenisingError as error:
            lines.append(str(error))
    assert len(lines) > 20
    assert all(map(str.isprintable, lines))


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x80\x02}q\x00."])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.model").write_bytes(data)
    with pytest.raises(TokenisingError, match=r"x\.model is no SentencePiece model"):
        read_model(tmp_path / "x.model")
