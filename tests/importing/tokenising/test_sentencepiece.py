"""SentencePiece models: the library's ids on hard text, or a line that says why there can be none."""

import math
import random
import time
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from hypothesis import given, settings
from sentencepiece import sentencepiece_model_pb2

from bothends_importing.tokenising.definition import TokenisingError
from bothends_importing.tokenising.sentencepiece import IOTA, TIES, read_model, tokenise_sentencepiece

from .hard_texts import HARD, TEXTS, Ours, real_sentences
from .sentencepiece_models import train

_ODD = {"unk_id": 3, "bos_id": 0, "eos_id": 2, "pad_id": 1, "unk_piece": "?", "bos_piece": "<b>", "eos_piece": "e"}
_PLAIN = {"normalization_rule_name": "identity"}
MODELS: dict[str, dict[str, Any]] = {
    "unigram": {},
    "unigram, bytes, case folded": {"byte_fallback": True, "normalization_rule_name": "nmt_nfkc_cf"},
    "unigram, odd symbols": {**_ODD, "add_dummy_prefix": False, "normalization_rule_name": "nfkc"},
    "unigram, user's symbols": {**_PLAIN, "user_defined_symbols": ["<ent>", "##"], "control_symbols": ["[CLS]", "@"]},
    "unigram, bytes, user's symbols": {**_PLAIN, "byte_fallback": True, "user_defined_symbols": ["<ent>"]},
    "unigram, spaces kept and inside": {**_PLAIN, "remove_extra_whitespaces": False, "split_by_whitespace": False},
    "bpe": {"model_type": "bpe"},
    "bpe, bytes": {**_PLAIN, "model_type": "bpe", "byte_fallback": True},
    "bpe, odd symbols": {**_PLAIN, **_ODD, "model_type": "bpe"},
    "bpe, spaces kept and inside": {
        "model_type": "bpe",
        "remove_extra_whitespaces": False,
        "split_by_whitespace": False,
    },
    "char": {**_PLAIN, "model_type": "char"},
}


class _Case:
    def __init__(self, path: Path, options: dict[str, Any]) -> None:
        self.original = sentencepiece.SentencePieceProcessor(model_file=str(path))
        self.tokenising = tokenise_sentencepiece(path, rows=len(self.original), bos=True, eos=True)
        self.ours = Ours(self.tokenising)
        self._ties = options.get("model_type", "unigram") == "unigram"
        self._folded = options.get("normalization_rule_name") == "nmt_nfkc_cf"

    def differs(self, text: str) -> tuple[list[int], list[int]] | None:
        """Return our ids and the library's, unless they are the same or differ as TIES and IOTA say."""
        ours, theirs = self.ours.rows(text), self.original.encode(text, add_bos=True, add_eos=True)
        score, other = (sum(map(self.original.get_score, ids)) for ids in (ours, theirs))
        same = ours == theirs or (self._ties and math.isclose(score, other, rel_tol=1e-5))
        return None if same or (self._folded and "\u0345" in text) else (ours, theirs)


_made: dict[str, _Case] = {}


def _case(name: str, folders: pytest.TempPathFactory) -> _Case:
    if name not in _made:
        _made[name] = _Case(train(folders.mktemp("spm"), **MODELS[name]), MODELS[name])
    return _made[name]


@pytest.fixture(scope="module", params=[*MODELS])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> _Case:
    return _case(request.param, tmp_path_factory)


def test_hard_text_gives_the_librarys_ids(case: _Case) -> None:
    for text in [*HARD, "a<ent>b ##<ent> [CLS] @ e ? <b>", "<0x3C><0x20>"]:
        assert case.differs(text) is None, ascii(text)


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
def test_any_text_gives_the_librarys_ids(case: _Case, text: str) -> None:
    assert case.differs(text) is None


def test_real_sentences_give_the_librarys_ids(case: _Case) -> None:
    for text in real_sentences(3000):
        assert case.differs(text) is None, text


def test_every_piece_is_found_where_the_library_finds_it(case: _Case) -> None:
    for index in range(len(case.original)):
        assert case.differs(case.original.id_to_piece(index).replace("▁", " ")) is None


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 19])
def test_every_character_is_normalised_as_the_library_does(tmp_path: Path, every: int) -> None:
    """Characters that are assigned, all or one of some, before and after a letter and a mark, give the library's ids.

    Bytes in the vocabulary show any difference.
    """
    case = _Case(train(tmp_path, model_type="bpe", byte_fallback=True), {"model_type": "bpe"})
    points = [p for p in range(1, 0x30000, every) if unicodedata.category(chr(p)) not in ("Cn", "Cs", "Co")]
    marks = "\u0301\u0323\u0302\u05b7\u0651\u3099\u1161\u11a8"
    texts = [f"{chr(p)}{marks[p % 8]} e{chr(p)}{marks[p % 7]}" for p in points if not 0x4E00 <= p <= 0xA4CF]
    wrong = [text for text in texts if case.differs(text) is not None]
    assert [ascii(text) for text in wrong] == []


RUNS = ["▁", "\u2003", "e\u0301", "\u0301", "ᄒ", "\u0323\u0302", "a", "\u200b", "👩\u200d"]


@pytest.mark.parametrize("run", RUNS)
def test_long_runs_give_the_librarys_ids(tmp_path_factory: pytest.TempPathFactory, run: str) -> None:
    """A run of one cluster is cut as the library cuts it, however long it is."""
    assert _case("unigram", tmp_path_factory).differs(run * (3_000 // len(run)) + "x") is None


@pytest.mark.timing
@pytest.mark.parametrize("run", RUNS)
def test_long_runs_take_no_more_than_their_length(tmp_path_factory: pytest.TempPathFactory, run: str) -> None:
    """A pattern that looks ahead over a whole run from each character of it would take minutes here."""
    case = _case("unigram", tmp_path_factory)
    start = time.perf_counter()
    assert case.differs(run * (60_000 // len(run)) + "x") is None
    assert time.perf_counter() - start < 5


def test_a_less_than_sign_that_is_no_piece_becomes_its_byte(tmp_path: Path) -> None:
    """A `<` stands apart in byte models: it becomes another character, so that no byte piece is found by its name."""
    path = train(tmp_path, without="<", byte_fallback=True, **_PLAIN)
    case = _Case(path, {})
    assert case.original.piece_to_id("<") == case.original.unk_id()
    for text in ["<", "a < b <<", "<0x41> <0x3C> <0x20>", *HARD]:
        assert case.differs(text) is None, ascii(text)


def test_what_can_differ_is_said(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert _case("unigram", tmp_path_factory).tokenising.notes == (TIES,)
    assert _case("bpe", tmp_path_factory).tokenising.notes == ()
    assert _case("unigram, bytes, case folded", tmp_path_factory).tokenising.notes == (TIES, IOTA)


def test_a_model_that_gets_other_ids_than_the_library_gives_is_refused(tmp_path: Path) -> None:
    """The library leaves a user's symbol as it is, where the table here takes it apart: found by trying it."""
    path = train(tmp_path, user_defined_symbols=["½"])
    with pytest.raises(TokenisingError, match=r"small\.model: SentencePiece gives other ids for 'a\\xbdb \\xbd'"):
        tokenise_sentencepiece(path, rows=5000)


def test_a_table_of_the_models_own_is_taken_where_it_can_be(tmp_path: Path) -> None:
    """Single characters to anything, and sequences to what Unicode composes of them; no other sequence."""
    own = {"normalization_rule_tsv": str(tmp_path / "rules.tsv")}
    for rules in ("65 301\tE9\n6F\t30 31\n4F\t\n", "6F\t30 31\n"):
        (tmp_path / "rules.tsv").write_text(rules, encoding="utf-8")
        case = _Case(train(tmp_path, **own), own)
        for text in [*HARD, "Oo e\u0301 E\u0301 \u0301o o\u0301"]:
            assert case.differs(text) is None, ascii(text)
    (tmp_path / "rules.tsv").write_text("65 301\tE9\n74 68\tFE\n", encoding="utf-8")
    with pytest.raises(TokenisingError, match=r"small\.model: its table of normalisation maps 'th' to '\\xfe'"):
        tokenise_sentencepiece(train(tmp_path, **own), rows=5000)


def _changed(source: Path, folder: Path, **changes: Any) -> Path:
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(source.read_bytes())
    for name, value in changes.items():
        part, _, field = name.partition("__")
        setattr(getattr(proto, part), field, value)
    (folder / "changed.model").write_bytes(proto.SerializeToString())
    return folder / "changed.model"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("plain"), **_PLAIN)


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model_type": "bpe", "user_defined_symbols": ["<ent>"]}, "supported in unigram models only"),
        ({"model_type": "word"}, "a model of words"),
    ],
)
def test_models_that_can_not_be_had_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TokenisingError, match=message):
        tokenise_sentencepiece(train(tmp_path, **_PLAIN, **options), rows=5000)


def test_a_table_with_too_few_rows_is_refused(plain: Path) -> None:
    with pytest.raises(TokenisingError, match="pieces, the table only 10 rows"):
        tokenise_sentencepiece(plain, rows=10)


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


def test_a_piece_that_is_no_text_is_refused(plain: Path, tmp_path: Path) -> None:
    (tmp_path / "x.model").write_bytes(plain.read_bytes().replace("▁the".encode(), b"\xff\xffathe"))
    with pytest.raises(TokenisingError, match="a piece that is no UTF-8 text"):
        tokenise_sentencepiece(tmp_path / "x.model", rows=5000)


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x80\x02}q\x00."])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.model").write_bytes(data)
    with pytest.raises(TokenisingError, match=r"x\.model is no SentencePiece model"):
        read_model(tmp_path / "x.model")
