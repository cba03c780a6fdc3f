"""Text becomes token ids: order, limits, and text that breaks things."""

import json
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from bothends.errors import BundleError, EngineError, RequestError
from bothends.model.bundle import Bundle
from bothends.model.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def tokenizer(english: Bundle) -> Tokenizer:
    return Tokenizer(english.tokenizer, max_tokens=10, source=Path("tokenizer.json"))


@pytest.mark.parametrize("word", ["word", "龍"], ids=["natively", "by the library"])
@pytest.mark.parametrize("method", ["encode", "pieces"])
@pytest.mark.parametrize("keep_end", [False, True])
def test_a_long_sentence_is_cut_and_says_so(tokenizer: Tokenizer, word: str, method: str, keep_end: bool) -> None:
    """A sentence exactly at the limit isn't cut; of one past it, the first tokens are kept, or the last."""
    kept = f"{word} " * 9 + "end"
    longer = f"one {kept}" if keep_end else f"{kept} one"
    at, past = getattr(tokenizer, method)([kept, longer], truncation="end" if keep_end else "start")
    assert (len(at.ids), at.truncated) == (10, False)
    assert (len(past.ids), past.truncated) == (10, True)
    assert past.ids == at.ids


def test_a_long_sentence_is_kept_whole_where_all_of_it_is_wanted(tokenizer: Tokenizer) -> None:
    """By both ways to read, and of one that the library alone reads."""
    texts = ["word " * 25, "龍 " * 25]
    for method in (tokenizer.encode, tokenizer.pieces):
        assert [(len(read.ids), read.truncated) for read in method(texts, truncation="pieces")] == [(25, False)] * 2


def test_it_knows_which_tokens_go_on_with_a_word(tokenizer: Tokenizer) -> None:
    """By their marks in the vocabulary; where nothing is marked, each is a word."""
    (read,) = tokenizer.pieces(["the unbelievableness of dragons"], truncation="pieces")
    assert [index in tokenizer.continuing for index in read.ids] == [text.startswith("##") for text in read.texts]
    assert any(text.startswith("##") for text in read.texts)
    marked = tokenizers.models.Unigram([("<unk>", 0.0), ("▁a", -1.0), ("b", -1.0)], unk_id=0)
    assert made_of(marked).continuing == {0, 2}
    assert made_of(tokenizers.models.WordLevel({"[UNK]": 0, "a": 1}, unk_token="[UNK]")).continuing == set()  # noqa: S106


def made_of(model: tokenizers.models.Model) -> Tokenizer:
    return Tokenizer(tokenizers.Tokenizer(model).to_str(), max_tokens=10, source=Path("tokenizer.json"))


def test_no_special_tokens_are_added(tokenizer: Tokenizer) -> None:
    """The LSTM reads words only: an end mark would be the last state of every sentence."""
    (tokens,) = tokenizer.encode(["dragons"])
    assert len(tokens.ids) == 1


def test_ids_become_text_unless_that_runs_what_the_file_brings(tokenizer: Tokenizer, english: Bundle) -> None:
    """Tokens are joined as the file says, but by no pattern of its own, which might take for ever."""
    ids = [tokens.ids for tokens in tokenizer.encode(["Playing, unbelievably", "no"])]
    assert tokenizer.decode(ids, skip_special_tokens=True) == ["playing, unbelievably", "no"]
    made = json.loads(english.tokenizer)
    made["decoder"] = {"type": "Replace", "pattern": {"Regex": "(a+)+b"}, "content": ""}
    brought = Tokenizer(json.dumps(made), max_tokens=10, source=Path("tokenizer.json"))
    with pytest.raises(RequestError, match=r"^this model's tokenizer has a decoder that isn't run here \(Replace\)$"):
        brought.decode(ids, skip_special_tokens=True)


def test_text_without_tokens_gives_no_ids(tokenizer: Tokenizer) -> None:
    assert [tokens.ids for tokens in tokenizer.encode(["\x00\x00", "\u200b"])] == [[], []]


@pytest.mark.parametrize(
    ("model", "unknown"),
    [
        ({"type": "WordLevel", "vocab": {"a": 0, "<unk>": 1}, "unk_token": "<unk>"}, 1),
        (
            {"type": "WordPiece", "vocab": {"[UNK]": 0, "a": 1}, "unk_token": "[UNK]"}
            | {"continuing_subword_prefix": "##", "max_input_chars_per_word": 100},
            0,
        ),
        ({"type": "BPE", "vocab": {"a": 0, "?": 1}, "merges": [], "unk_token": "?"}, 1),
        ({"type": "BPE", "vocab": {"a": 0}, "merges": []}, None),
        ({"type": "Unigram", "vocab": [["a", -1.0], ["<unk>", -2.0]], "unk_id": 1}, 1),
    ],
)
def test_the_unknown_token_is_found(model: dict[str, object], unknown: int | None) -> None:
    """Each kind of tokenizer names it in its own way; some have none."""
    definition = json.dumps({"version": "1.0", "added_tokens": [], "model": model})
    made = Tokenizer(definition, max_tokens=10, source=Path("tokenizer.json"))
    assert made.unknown_id == unknown
    if unknown is not None:
        known, other = made.pieces(["a", "龍"])
        assert (known.unknown, other.unknown) == ([False], [True])


def test_a_megabyte_of_one_word_is_one_unknown(tokenizer: Tokenizer) -> None:
    (tokens,) = tokenizer.encode(["x" * 1_000_000])
    assert len(tokens.ids) == 1


@settings(max_examples=200)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5))
def test_any_text_gives_ids_of_the_vocabulary(tokenizer: Tokenizer, sentences: list[str]) -> None:
    """One result a sentence, in order, each id in range; company changes nothing."""
    together = tokenizer.encode(sentences)
    assert together == [tokenizer.encode([sentence])[0] for sentence in sentences]
    ids = [index for tokens in together for index in tokens.ids]
    assert not ids or 0 <= min(ids) <= max(ids) < tokenizer.vocabulary_size


def test_long_input_is_encoded_in_pieces(tokenizer: Tokenizer) -> None:
    """`check_deadline` is called before each piece, and may raise; pieces change no token."""
    calls: list[None] = []
    sentences = ["word " * 9_000] * 4
    assert tokenizer.encode(sentences, check_deadline=lambda: calls.append(None)) == tokenizer.encode(sentences[:1]) * 4
    assert len(calls) == 4


def test_a_panic_of_the_library_is_an_error_like_any_other() -> None:
    """Rust panics are BaseExceptions: uncaught, they would end a thread and leave its caller waiting for ever."""
    broken = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "b": 1}, unk_token="[UNK]"))  # noqa: S106
    made = Tokenizer(broken.to_str(), max_tokens=5, source=Path("tokenizer.json"))
    with pytest.raises(EngineError, match="the tokenizer failed") as failed:
        made.encode(["secret"])
    assert "secret" not in str(failed.value)


def test_text_that_is_no_tokenizer_is_one_line() -> None:
    with pytest.raises(BundleError, match=r"there/tokenizer\.json is no tokenizer"):
        Tokenizer("{}", max_tokens=5, source=Path("there/tokenizer.json"))


def test_a_tokenizer_that_is_too_large_for_the_table_is_named(tokenizer: Tokenizer) -> None:
    tokenizer.check_vocabulary(tokenizer.vocabulary_size)
    last = tokenizer.vocabulary_size - 1
    with pytest.raises(BundleError, match=rf"^tokenizer\.json: the tokenizer has ids up to {last}, .* of {last}$"):
        tokenizer.check_vocabulary(last)


def test_a_tokenizer_may_have_no_token() -> None:
    """A tokenizer without tokens reads nothing, which whoever makes a bundle of it is told in a sentence."""
    model = {"type": "BPE", "vocab": {}, "merges": []}
    definition = json.dumps({"version": "1.0", "added_tokens": [], "model": model})
    empty = Tokenizer(definition, max_tokens=9, source=Path("tokenizer.json"))
    assert (empty.vocabulary_size, empty.vocabulary()) == (0, [])
