"""Text that breaks tokenisers, real sentences, and tokens by way of the server's own tokenizer."""

import itertools
import lzma
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import strategies as st

from bothends.model.tokenizer import Pieces, Tokenizer
from bothends_importing.tokenising.definition import Tokenising
from tests.support.paths import ROOT

_SENTENCES = ROOT.parent / "shared" / "data" / "sentences.tsv.xz"

HARD = [
    "",
    " ",
    "\t\n\r\x0b\x0c",
    "\x00",
    "a\x00b",
    "\x01\x02\x1b[31mred\x1b[0m\x7f\x85\x9f",
    "one\x1ctwo\x1dthree\x1efour\x1ffive",
    "a\u00a0b\u1680c\u2003d\u2028e\u2029f\u202fg\u3000h\u200bi\ufeffj",
    "soft\u00adhyphen zero\u200bwidth non\u200cjoiner word\u2060joiner",
    "e\u0301 a\u0308\u0304 e\u0323\u0302 \u1eb9\u0302 \u0301alone",
    "Z\u0351\u036b\u0343\u036aa\u0302\u0357\u0346l\u0342\u034ag\u035bo\u0310",
    "ʰΣ \u0345Σ aʰΣ Α\u0345Σ Σʰ ΑΣʰα",
    "ΟΔΟΣ ὈΔΥΣΣΕΎΣ Σ ΣΑΣ Α.Σ. ΑΣ'",
    "İstanbul ISPARTA ıssız Straße STRASSE ﬁn ſ K",
    "שלום עולם \u200fمرحبا بالعالم\u200e بِسْمِ",
    "नमस्ते दुनिया ก็ที่นี่ வணக்கம்",
    "中文字符，没有空格。「日本語」カタカナ ｶﾀｶﾅ ﾊﾟ",
    "한국어 \u1112\u1161\u11ab\u1100\u1173\u11af ㅎㅏㄴ",
    "👩\u200d👩\u200d👧\u200d👦 🏳️\u200d🌈 👍🏽 🇨🇭 ☺️ 1️⃣",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 ½ ① ㍿ ™ ℌ ２０２４ Å",
    "\U000e0041\U0010ffff\ue000\ufdd0\ufffe\ufffd",
    "\"double\" 'single' “curly” ‘quotes’ „low‚ «guillemets» ``ticks'' `one` ´acute´ ′prime″",
    "I can't, won't, don't, shouldn't've, they'll, it's, I'm, you'd, we're. O'Neill's 'tis 'twas rock 'n' roll",
    "DON'T I'LL IT'S cannot gimme gonna wanna go gotta lemme d'ye more'n Cannot. WANNA",
    "don’t it’s ‘tis ’90s",
    "do n't know n't n't",
    "$5.00 £3,50 €1.234,56 50% #1 @home A&B 3:30 1:2:3 ::: ,,, ,5 ,,5 a,,b",
    "Wait... what?! No.... Yes…  end. . .",
    "Dr. Smith met Mr. Jones at 3 p.m. in the U.S. They left.",
    'He said "stop." She said (softly) "go.").',
    "a--b - c – d — e ― f -- g",
    "https://example.org/a_b?c=d&e=f#g me@example.org www.x.y C:\\dir\\file.txt /etc/passwd",
    "<s> </s> <unk> <pad> <p> </p> [UNK] [CLS] <0x41> @@UNKNOWN@@ ▁a ▁▁ ## ##a",
    "&amp; &lt;b&gt; &#39; &quot;",
    "* [x] {y} (z) <w> ** ((a))",
    "snake_case camelCase kebab-case x86_64 3.14 1e-9 1,000,000",
    "a" * 300,
    "ab" * 200,
    "!" * 100 + "." * 50,
    " a" * 200,
    "日" * 120,
    "   leading and trailing   ",
    "line one\nline two\r\nline three\rend\n",
    "x.\n",
    "x:\n",
    "a.) b.\" c.'",
]
"""Each of them broke one tokeniser or another."""

_FRAGMENTS = [
    *"abcdnstmXYZ059 \t\n\x00\x1c'\"`.,:;!?-_()[]{}<>*&@#$%/\\«»“”‘’„…–—´",
    *"\u00a0\u00ad\u0301\u0302\u0323\u0345\u200b\u200d\u2028\u3000ßſİıΑΣσéﬁ½日本한ᄒ\u1161क्ש👩🏽▁",
    *("  ", "''", "``", "--", "...", "'s", "n't", " n't ", "N'T", "'ll", "cannot", "gimme", "wanna ", "'tis", "more'n"),
    *(
        "<s>",
        "</s>",
        "<unk>",
        "<0x41>",
        "the",
        " the",
        "▁the",
        ".\n",
        ",\u00a0",
        "1\u00a02",
        "\u00a0:",
        "\r\n",
        "(a) ,",
    ),
]
TEXTS = st.lists(st.sampled_from(_FRAGMENTS), max_size=12).map("".join)
"""Text of such parts."""


@cache
def real_sentences(most: int) -> list[str]:
    """The first sentences of the corpus, or a skip where it isn't there."""
    return list(itertools.islice(every_real_sentence(), most))


def every_real_sentence() -> Iterator[str]:
    """Sentences of the corpus, two million of them, one after the other; a skip where it isn't there."""
    if not _SENTENCES.is_file():
        pytest.skip(f"{_SENTENCES.name}, real sentences, is not beside the checkout")
    with lzma.open(_SENTENCES, "rt", encoding="utf-8") as lines:
        yield from (line.rstrip("\n").split("\t")[1] for line in lines)


class Ours:
    """Pieces and rows of the source's table that the server makes of a text by the tokenizer.json."""

    def __init__(self, tokenising: Tokenising) -> None:
        self._rows = tokenising.rows
        self._tokenizer = Tokenizer(tokenising.definition, max_tokens=1 << 20, source=Path("tokenizer.json"))
        assert self._tokenizer.vocabulary_size == len(tokenising.rows)

    def pieces(self, text: str) -> Pieces:
        (found,) = self._tokenizer.pieces([text])
        return found

    def rows(self, text: str) -> list[int]:
        (found,) = self._tokenizer.encode([text])
        return [self._rows[index] for index in found.ids]
