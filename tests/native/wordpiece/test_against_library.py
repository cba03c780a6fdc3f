"""Native ids are the library's: of real sentences, hard texts, every character, every script and random texts."""

import itertools
import random
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

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
from bothends_importing.tokenising.word_rules import Split, WordRules
from bothends_importing.tokenising.words import tokenise_words
from tests.importing.tokenising.hard_texts import HARD, TEXTS, every_real_sentence, real_sentences

pytest.importorskip(
    "bothends_native.wordpiece", reason="bothends-native isn't built (make native)", exc_type=ImportError
)

Flags = tuple[bool, bool, bool | None, bool]
FLAGS: list[Flags] = list(itertools.product([True, False], [True, False], [True, False, None], [True, False]))
"""Options of BERT's normaliser: clean_text, handle_chinese_chars, strip_accents, lowercase."""
USUAL: Flags = (True, True, None, True)
LONG_S = 3600
"""Time that a test may take in its long form."""
OF_EACH_WAY = [pytest.param(flags, marks=[pytest.mark.slow] * (index % 5 > 0)) for index, flags in enumerate(FLAGS)]
"""Each option in both its ways, if not with each of the others; all are slow."""
BOTH_WAYS = [pytest.param(flags, marks=[pytest.mark.slow] * (flags != USUAL)) for flags in FLAGS]
MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ADDED = [
    AddedToken("<mark>", normalized=False),
    AddedToken("<mar", normalized=False, single_word=True),
    AddedToken("É t", normalized=False, lstrip=True),
    AddedToken("日", normalized=False, rstrip=True, special=True),
    AddedToken(" t", normalized=False, single_word=True, lstrip=True, rstrip=True),
]
SEPARATORS = "\x1c\x1d\x1e\x1f"
"""Spaces to Python; where a tokenizer doesn't clean texts it makes words of them, which is left to the library."""
CHARACTERS = [chr(code) for code in range(sys.maxunicode + 1) if code not in range(0xD800, 0xE000)]
COMBINING = [character for character in CHARACTERS if unicodedata.combining(character)]
OF_EACH_CLASS = list({unicodedata.combining(mark): mark for mark in COMBINING}.values())
KEPT = [mark for mark in COMBINING if BertNormalizer(False, False, True, False).normalize_str(mark)]
"""Marks that stay where accents are stripped, so that their order shows."""
WAYS = ("{}", "a{}b", "a {} b", "{}\u0301", "\u0323{}", "{0}{0}", "\u1b44{}\u302e", "\u302e{}\u1b44", "\U0001d16d{}a")
_PARTS = [*MARKS, *(token.content for token in ADDED), "<", "[", "É", " ", "t", "a", "\u3000", "\u0301", "_"]
MARKED = st.lists(st.sampled_from(_PARTS)).map("".join)
UNICODE = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
IN_ORDER = st.lists(st.sampled_from([*OF_EACH_CLASS, *KEPT, "a", "é", "한", "\x00", " "]), max_size=20).map("".join)
ANY = st.one_of(st.text(st.characters(codec="ascii")), UNICODE, IN_ORDER, TEXTS, MARKED)


class Pair:
    """A tokenizer of the library, and its native twin."""

    def __init__(self, library: tokenizers.Tokenizer) -> None:
        twin = native_wordpiece(library)
        assert twin is not None
        self.library, self.native = library, twin
        cleans = isinstance(library.normalizer, BertNormalizer) and library.normalizer.clean_text
        self._declines = () if cleans else tuple(SEPARATORS)

    def agree(self, texts: Sequence[str]) -> None:
        """Assert that ids of `texts` are the library's, and that none is declined."""
        read = self.native.encode(texts, sys.maxsize)
        for text, found, expected in zip(texts, read, self.library.encode_batch_fast(texts), strict=True):
            if found is None and any(separator in text for separator in self._declines):
                continue
            assert found == (expected.ids, False), ascii(text)


def made(
    pieces: Iterable[str], *, flags: Flags = USUAL, prefix: str = "##", most: int = 100, added: bool = True
) -> Pair:
    """A pair with a vocabulary of `pieces`, and with ADDED, one of which is a piece too."""
    ids = {piece: index for index, piece in enumerate(dict.fromkeys([*MARKS, "<mark>", *pieces]))}
    unknown = {"unk_token": "[UNK]", "continuing_subword_prefix": prefix, "max_input_chars_per_word": most}
    library = tokenizers.Tokenizer(WordPiece(ids, **unknown))
    clean, chinese, accents, lower = flags
    library.normalizer = BertNormalizer(clean, chinese, accents, lower)
    library.pre_tokenizer = BertPreTokenizer()
    library.add_special_tokens([AddedToken(mark, normalized=False) for mark in MARKS])
    if added:
        library.add_tokens(ADDED)
    return Pair(library)


def of_characters(characters: Iterable[str], *, flags: Flags = USUAL) -> Pair:
    """A pair that knows what becomes of each of `characters`, so that ids tell all that is made of it."""
    forms = (
        form
        for character in characters
        for form in (character, character.lower(), unicodedata.normalize("NFD", character.lower()))
    )
    known = dict.fromkeys("ab" + "".join(forms))
    return made((prefix + one for prefix in ("", "##") for one in known), flags=flags, added=False)


@pytest.fixture(scope="module")
def packaged(english: Bundle) -> Pair:
    library = tokenizers.Tokenizer.from_str(english.tokenizer)
    library.no_truncation()
    library.no_padding()
    return Pair(library)


def test_real_sentences(packaged: Pair) -> None:
    packaged.agree(real_sentences(5_000))


@pytest.mark.slow
@pytest.mark.timeout(LONG_S)
def test_real_sentences_of_every_kind(packaged: Pair, pytestconfig: pytest.Config) -> None:
    """A twentieth of two million, or all of them: pytest -m slow --long tests/native/wordpiece, for some minutes."""
    step = 1 if pytestconfig.getoption("--long") else 20
    sentences = itertools.islice(every_real_sentence(), 0, None, step)
    while batch := list(itertools.islice(sentences, 10_000)):
        packaged.agree(batch)


def test_hard_texts(packaged: Pair) -> None:
    packaged.agree(HARD)


@pytest.mark.parametrize("flags", OF_EACH_WAY)
def test_hard_texts_whatever_the_options(flags: Flags, packaged: Pair) -> None:
    """Vocabularies have some of the packaged one's pieces, and added tokens of other kinds."""
    vocabulary = packaged.library.get_vocab(with_added_tokens=False)
    made([*itertools.islice(sorted(vocabulary), 0, None, 7), *map(chr, range(33, 127))], flags=flags).agree(HARD)


@pytest.mark.timeout(LONG_S)
@pytest.mark.parametrize("flags", BOTH_WAYS)
def test_every_character(flags: Flags, pytestconfig: pytest.Config) -> None:
    """Alone, in a word, between words, and among accents and marks that stay; past Latin, Greek, Cyrillic and
    Hebrew, one in 2,003, or all of them: pytest -m slow --long tests/native/wordpiece.
    """
    if pytestconfig.getoption("--long"):
        parts = [CHARACTERS[start : start + (1 << 16)] for start in range(0, len(CHARACTERS), 1 << 16)]
    else:
        parts = [CHARACTERS[:0x600] + CHARACTERS[0x600::2003]]
    for characters in parts:
        pair = of_characters([*characters, *KEPT], flags=flags)
        for way in WAYS:
            pair.agree([way.format(character) for character in characters])


@pytest.mark.timeout(LONG_S)
@pytest.mark.parametrize("flags", BOTH_WAYS)
def test_every_mark_beside_marks_of_each_class(flags: Flags, pytestconfig: pytest.Config) -> None:
    """And what decomposes into marks, and the marks that stay, where accents are stripped, beside each other: in the
    quick form a fortieth of these.
    """
    decomposed = [one for one in CHARACTERS if unicodedata.decomposition(one)[:1] not in ("", "<")]
    pair = of_characters([*COMBINING, *decomposed], flags=flags)
    for mark in {*OF_EACH_CLASS, *KEPT[:: 1 if pytestconfig.getoption("--long") else 40]}:
        pair.agree([f"a{one}{mark}b" for one in COMBINING])
        pair.agree([f"a{mark}{one}b" for one in COMBINING])
    for mark in KEPT[::7]:
        pair.agree([f"{one}{mark}\u302e" for one in decomposed])


def texts_of_every_script(count: int, *, seed: int) -> Iterator[str]:
    """Random texts, most of one script each: words of a block's characters, with marks, signs and others between."""
    chance = random.Random(seed)  # noqa: S311  what is drawn is no secret
    assigned = [one for one in CHARACTERS if unicodedata.category(one) not in ("Cn", "Co")]
    by_block: dict[int, list[str]] = {}
    for one in assigned:
        by_block.setdefault(ord(one) // 128, []).append(one)
    blocks = list(by_block.values())
    others = [*" .,!?-'’“”—…™→\t\n\u00a0\u200b\u200d\ufe0f\u3000", *OF_EACH_CLASS, *KEPT, "👩🏽", "1️⃣", "🇨🇭", "[SEP]"]
    for _ in range(count):
        letters = chance.choice(blocks) if chance.random() < 0.9 else assigned
        words = ("".join(chance.choices(letters, k=chance.randint(1, 9))) for _ in range(chance.randint(1, 12)))
        yield "".join(word + (" " if chance.random() < 0.6 else chance.choice(others)) for word in words)


@pytest.mark.timeout(LONG_S)
@pytest.mark.parametrize("count", [200, pytest.param(100_000, marks=pytest.mark.slow)])
def test_texts_of_every_script(packaged: Pair, count: int, pytestconfig: pytest.Config) -> None:
    """Or two million: pytest -m slow --long tests/native/wordpiece."""
    is_long = pytestconfig.getoption("--long") and count > 200
    texts = texts_of_every_script(2_000_000 if is_long else count, seed=count)
    known = of_characters(CHARACTERS[:0x3100] + CHARACTERS[0xA000:0xAC00] + CHARACTERS[0x10000:0x12000] + KEPT)
    while batch := list(itertools.islice(texts, 10_000)):
        known.agree(batch)
        packaged.agree(batch)


@settings(max_examples=100)
@given(st.lists(ANY, max_size=5))
def test_random_texts(packaged: Pair, texts: list[str]) -> None:
    packaged.agree(texts)


@settings(max_examples=40)
@given(
    st.lists(st.text("ab#é.", min_size=1, max_size=6), max_size=12),
    st.sampled_from(["", "#", "##", "a", "é"]),
    st.integers(0, 6),
    st.sampled_from(FLAGS),
    st.lists(st.one_of(st.text("abAé.# \u0301", max_size=20), ANY), max_size=5),
)
def test_random_vocabularies(pieces: list[str], prefix: str, most: int, flags: Flags, texts: list[str]) -> None:
    """Few letters make entries that begin with others, and words with many readings."""
    made(pieces, flags=flags, prefix=prefix, most=most).agree(texts)


_ADDED = st.builds(
    AddedToken,
    st.text("ab é日\u0301._", min_size=1, max_size=4).filter(str.strip),
    single_word=st.booleans(),
    lstrip=st.booleans(),
    rstrip=st.booleans(),
    normalized=st.just(False),
    special=st.booleans(),
)


@settings(max_examples=40)
@given(
    st.lists(_ADDED, max_size=6),
    st.sampled_from(FLAGS),
    st.lists(st.one_of(st.text("ab é日\u0301._\u3000\u200d٣", max_size=20), UNICODE), max_size=8),
)
def test_random_added_tokens(added: list[AddedToken], flags: Flags, texts: list[str]) -> None:
    """Some begin with others, overlap them, touch words, or hold spaces and marks."""
    library = made([*"ab_.", "##a", "##b"], flags=flags, added=False).library
    library.add_tokens(added)
    Pair(library).agree(texts)


def test_what_is_a_word_is_the_librarys() -> None:
    """An added token for single words is found by the same characters as the library has it."""
    pair = made([])
    pair.agree([way.format(chr(code)) for code in range(0x3100) for way in ("{}<mar", "<mar{}")])


@pytest.mark.parametrize(
    ("split", "lowercase", "unknown", "before", "after"),
    [
        ("whitespace", False, "<unk>", (), ()),
        ("whitespace", True, None, ("<s>",), ("</s>", "</s>")),
        ("words_and_marks", True, "<unk>", ("<s>",), ("</s>", "</s>")),
        ("words_and_marks", False, None, (), ()),
    ],
)
def test_words_of_an_import(
    split: Split, lowercase: bool, unknown: str | None, before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    """Whole words, split as an import does; what is left to the library holds a sigma, or nothing but `before`."""
    rules = WordRules(split, lowercase, unknown, before, after)
    words = ["<unk>", "<s>", "</s>", *"aé.,!日ß한🙂σs_", "the", "The", "'s", "naïve", "\u0301", "ss", "i̇", "5", "don't"]
    ids = {word: index for index, word in enumerate(words)}
    pair = Pair(tokenizers.Tokenizer.from_str(tokenise_words(ids, rules, rows=len(ids)).definition))
    texts = [*HARD, *texts_of_every_script(300, seed=3), *CHARACTERS[:0x3100:3], "the Naïve ß.a 日a 🙂 İ don't", "xyz"]
    texts += [f"a{one}a the{one}" for one in CHARACTERS[:0x3100]]
    read = pair.native.encode(texts, sys.maxsize)
    nothing = [*(ids[word] for word in (*before, *after))]
    for text, found, expected in zip(texts, read, pair.library.encode_batch_fast(texts), strict=True):
        is_left = (lowercase and "Σ" in text) or (nothing and expected.ids == nothing)
        is_left = is_left or any(separator in text for separator in SEPARATORS)
        assert found == (expected.ids, False) or (found is None and is_left), ascii(text)


def test_a_word_is_unknown_past_its_max_characters(packaged: Pair) -> None:
    """Limits are characters, not bytes."""
    packaged.agree([letter * count for letter in "aéж한" for count in (50, 99, 100, 101, 10_000)])
