"""Native ids are the library's, or there are none: of real sentences, hard texts, every character and random texts."""

import itertools
import sys
import unicodedata

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from bothends.model.bundle import Bundle
from bothends.model.wordpiece import native_wordpiece
from tests.importing.tokenising.hard_texts import HARD, TEXTS, every_real_sentence, real_sentences

pytest.importorskip(
    "bothends_native.wordpiece", reason="bothends-native isn't built (make native)", exc_type=ImportError
)

Flags = tuple[bool, bool, bool | None, bool]
FLAGS: list[Flags] = list(itertools.product([True, False], [True, False], [True, False, None], [True, False]))
"""Options of BERT's normaliser: clean_text, handle_chinese_chars, strip_accents, lowercase."""
MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ADDED = [
    AddedToken("<mark>", normalized=False),
    AddedToken("<mar", normalized=False, single_word=True),
    AddedToken("É t", normalized=False, lstrip=True),
    AddedToken("日", normalized=False, rstrip=True, special=True),
]
SEPARATORS = "\x1c\x1d\x1e\x1f"
"""Spaces to Python; where a tokenizer doesn't clean texts it makes words of them, which is left to the library."""
UNICODE = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
KNOWN = st.text(
    st.one_of(st.characters(max_codepoint=0x52F), st.characters(min_codepoint=0x1E00, max_codepoint=0x20FF))
)
_PARTS = [*MARKS, *(token.content for token in ADDED), "<", "[", "É", " ", "t", "a"]
MARKED = st.lists(st.sampled_from(_PARTS)).map("".join)
ANY = st.one_of(st.text(st.characters(codec="ascii")), KNOWN, UNICODE, TEXTS, MARKED)


class Pair:
    """A tokenizer of the library, and its native twin."""

    def __init__(self, library: tokenizers.Tokenizer) -> None:
        twin = native_wordpiece(library)
        assert twin is not None
        self.library, self.native = library, twin

    def declined(self, texts: list[str]) -> int:
        """Number of `texts` without native ids; those of all others are the library's."""
        read = self.native.encode(texts, sys.maxsize)
        for text, found, expected in zip(texts, read, self.library.encode_batch_fast(texts), strict=True):
            assert found is None or found == (expected.ids, False), ascii(text)
        return read.count(None)


def made(pieces: list[str], *, flags: Flags, prefix: str = "##", most: int = 100) -> Pair:
    """A pair with a vocabulary of `pieces`, and with ADDED, one of which is a piece too."""
    ids = {piece: index for index, piece in enumerate(dict.fromkeys([*MARKS, "<mark>", *pieces]))}
    unknown = {"unk_token": "[UNK]", "continuing_subword_prefix": prefix, "max_input_chars_per_word": most}
    library = tokenizers.Tokenizer(WordPiece(ids, **unknown))
    clean, chinese, accents, lower = flags
    library.normalizer = BertNormalizer(clean, chinese, accents, lower)
    library.pre_tokenizer = BertPreTokenizer()
    library.add_special_tokens([AddedToken(mark, normalized=False) for mark in MARKS])
    library.add_tokens(ADDED)
    return Pair(library)


@pytest.fixture(scope="module")
def packaged(english: Bundle) -> Pair:
    library = tokenizers.Tokenizer.from_str(english.tokenizer)
    library.no_truncation()
    library.no_padding()
    return Pair(library)


def test_real_sentences(packaged: Pair) -> None:
    """Hardly one of twenty thousand is declined."""
    assert packaged.declined(real_sentences(20_000)) < 40


@pytest.mark.slow
def test_real_sentences_of_every_kind(packaged: Pair, pytestconfig: pytest.Config) -> None:
    """A twentieth of two million, or all of them: pytest -m slow --long tests/native/wordpiece, for some minutes."""
    step = 1 if pytestconfig.getoption("--long") else 20
    declined, seen, sentences = 0, 0, itertools.islice(every_real_sentence(), 0, None, step)
    while batch := list(itertools.islice(sentences, 10_000)):
        declined += packaged.declined(batch)
        seen += len(batch)
    assert declined < seen / 500


def test_hard_texts(packaged: Pair) -> None:
    """Most of them hold something that is declined."""
    assert packaged.declined(HARD) < len(HARD) / 2


@pytest.mark.parametrize("flags", FLAGS)
def test_hard_texts_whatever_the_options(flags: Flags, packaged: Pair) -> None:
    """Vocabularies have some of the packaged one's pieces, and added tokens of other kinds."""
    vocabulary = packaged.library.get_vocab(with_added_tokens=False)
    made([*itertools.islice(sorted(vocabulary), 0, None, 7), *map(chr, range(33, 127))], flags=flags).declined(HARD)


@pytest.mark.parametrize(
    "flags", [pytest.param(flags, marks=[pytest.mark.slow] * (index % 7 > 0)) for index, flags in enumerate(FLAGS)]
)
def test_every_character(flags: Flags) -> None:
    """Alone, in a word, between words, and before and after an accent; of ASCII only separators may be declined."""
    pieces = [
        f"{prefix}{chr(code)}"
        for code in range(33, 0x2100)
        for prefix in ("", "##")
        if code not in range(0xD800, 0xE000)
    ]
    pair = made(pieces, flags=flags)
    ways = ("{}", "a{}b", "a {} b", "{}\u0301", "\u0323{}", "{0}{0}")
    characters = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) != "Cs"]
    some = characters[:0x2110] + characters[0x2110::997]
    pair.declined([way.format(character) for character in some for way in ways])
    ascii_texts = [way.format(chr(code)) for code in range(128) if chr(code) not in SEPARATORS for way in ways[:3]]
    assert pair.declined(ascii_texts) == 0


@settings(max_examples=400)
@given(st.lists(ANY, max_size=5))
def test_random_texts(packaged: Pair, texts: list[str]) -> None:
    packaged.declined(texts)


@settings(max_examples=100)
@given(
    st.lists(st.text("ab#é.", min_size=1, max_size=6), max_size=12),
    st.sampled_from(["", "#", "##", "a", "é"]),
    st.integers(0, 6),
    st.sampled_from(FLAGS),
    st.lists(st.one_of(st.text("abAé.# \u0301", max_size=20), ANY), max_size=5),
)
def test_random_vocabularies(pieces: list[str], prefix: str, most: int, flags: Flags, texts: list[str]) -> None:
    """Few letters make entries that begin with others, and words with many readings."""
    made(pieces, flags=flags, prefix=prefix, most=most).declined(texts)


def test_text_that_holds_an_added_token_is_declined(packaged: Pair) -> None:
    assert packaged.declined(["[CLS] a", "a[SEP]", "[[MASK]]", "[CL S]", "[cls]", "[", "a [1]"]) == 3


def test_a_word_is_unknown_past_its_max_characters(packaged: Pair) -> None:
    """Limits are characters, not bytes."""
    assert packaged.declined([letter * count for letter in "aéж" for count in (99, 100, 101, 10_000)]) == 0
