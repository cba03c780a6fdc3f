"""Any text is an embedding or INVALID_ARGUMENT; the same bytes each time, alone or in company; and never for long."""

import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import grpc
import numpy as np
import pytest

from bothends import Client, SentenceError
from bothends.v1 import embedding_pb2

from .conftest import Form
from .hostile import PATH
from .victim import Victim, victim
from .vitals import cpu_s

pytestmark = pytest.mark.chaos
CHARS = 1_000_000
_TOGETHER = 100
MAX_TIMES, MIN_CPU_S = 30.0, 0.1
"""Bound of what ten times the text may take, as a multiple, where it can be told: far from the hundred of a square."""
MAX_GROWTH_MB = 1500
"""The tokenizer takes about a kilobyte a character, one sentence at a time."""
CATEGORIES = "Cc Cf Cn Co Ll Lm Lo Lt Lu Mc Me Mn Nd Nl No Pc Pd Pe Pf Pi Po Ps Sc Sk Sm So Zl Zp Zs"
"""All but surrogates, which no text holds."""
Outcome: TypeAlias = bytes | None
"""A sentence's embedding, or None where it was refused as INVALID_ARGUMENT."""
Tally: TypeAlias = "Counter[str]"


@pytest.fixture(scope="module")
def attacked() -> Iterator[Victim]:
    """A server that takes a million characters, and so a million of anything."""
    with victim("--max-message-bytes", str(16 << 20), max_sentence_chars=CHARS) as server:
        yield server


@pytest.fixture(scope="module")
def tally() -> Tally:
    """Counts of all categories together."""
    return Counter()


@pytest.fixture(scope="module")
def seconds() -> dict[str, float]:
    """Seconds that each specimen took."""
    return {}


@pytest.fixture(scope="module")
def client(attacked: Victim) -> Iterator[Client]:
    with Client("{}:{}".format(*attacked.grpc), timeout_s=60) as connected:
        yield connected


def outcomes(client: Client, sentences: Sequence[str]) -> list[Outcome]:
    """Outcome of each sentence, all in one call as far as they can be."""
    found: list[Outcome] = [None] * len(sentences)
    left = list(range(len(sentences)))
    while left:
        try:
            rows = client.embed([sentences[index] for index in left]).rows
        except SentenceError as error:
            del left[error.index]
            continue
        assert np.isfinite(rows).all()
        for index, row in zip(left, rows, strict=True):
            found[index] = row.tobytes()
        break
    return found


def of_category(category: str, form: Form) -> Iterator[str]:
    """Make sentences that hold a category's every code point; in the short form a sample of those without a meaning."""
    step = form.pick(37, 1) if category in ("Cn", "Co") else 1
    points = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) == category][::step]
    most = form.pick(160, 40)
    for start in range(0, len(points), most):
        yield "".join(points[start : start + most])


@pytest.mark.parametrize("category", CATEGORIES.split())
def test_every_code_point_is_embedded_or_refused(
    attacked: Victim, client: Client, tally: Tally, form: Form, record: Callable[..., None], category: str
) -> None:
    """A code point by itself may be refused; beside words, and in the long form within them, it never is."""
    bare = list(of_category(category, form))
    beside = [f"dragons {text} guitar" for text in bare]
    within = ["a" + "b".join(text) + "c" for text in form.pick([], bare)]
    sentences = [*bare, *beside, *within]
    chunks = [sentences[start : start + _TOGETHER] for start in range(0, len(sentences), _TOGETHER)]
    together = [outcome for chunk in chunks for outcome in outcomes(client, chunk)]
    assert [outcomes(client, [sentence])[0] for sentence in sentences] == together
    assert None not in together[len(bare) :]
    attacked.answers_right()
    tally.update(code_points=sum(map(len, bare)), sentences=len(sentences), refused=together.count(None))
    record("all of Unicode", categories=len(CATEGORIES.split()), **tally, lost=0)


SPECIMENS = {
    "one word": "x" * CHARS,
    "one word of no script": "\U000e0041" * CHARS,
    "spaces": " " * (CHARS - 1) + "x",
    "NUL": "\0" * (CHARS - 1) + "x",
    "NUL between words": "a\0b " * (CHARS // 4),
    "bidi controls": "\u202e\u2066\u2067\u2068\u2069\u202c" * (CHARS // 6) + "x",
    "combining marks": "e" + "\u0301" * (CHARS - 1),
    "combining marks out of order": "e" + "\u0301\u0323\u0345\u0334" * (CHARS // 4 - 1),
    "combining marks that alternate": "e" + ("\u0301\u0323" * (CHARS // 2 - 1)),
    "joined emoji": "👩\u200d" * (CHARS // 2),
    "flags": "🇩🇪" * (CHARS // 2),
    "what is eighteen letters decomposed": "\ufdfa" * CHARS,
    "syllables": "각" * CHARS,
    "jamo": "\u1100\u1161\u11a8" * (CHARS // 3),
    "unknown scripts": "\U00011f00" * CHARS,
    "private use": "\ue000" * CHARS,
    "brackets": "(" * CHARS,
    "wide letters": "Ａ" * CHARS,
    "case that grows": "İ" * CHARS,
    "pieces of words": "##a" * (CHARS // 3),
    "special tokens": "[PAD][UNK][CLS][SEP][MASK]" * (CHARS // 26),
    "CJK": "龍" * CHARS,
}


@pytest.mark.parametrize("specimen", SPECIMENS)
def test_a_million_of_one_thing_does_not_take_long(
    client: Client, attacked: Victim, seconds: dict[str, float], record: Callable[..., None], specimen: str
) -> None:
    """A million of one thing has an embedding or a refusal, and the same again beside another sentence."""
    text = SPECIMENS[specimen]
    before = cpu_s(attacked.process)
    outcomes(client, [text[: len(text) // 10]])
    tenth_s = cpu_s(attacked.process) - before
    began = time.monotonic()
    first = outcomes(client, [text])
    seconds[specimen] = time.monotonic() - began
    whole_s = cpu_s(attacked.process) - before - tenth_s
    assert outcomes(client, [text, "dragons"])[0] == first[0]
    attacked.answers_right()
    assert whole_s < MAX_TIMES * max(tenth_s, MIN_CPU_S)
    assert attacked.growth_mb < MAX_GROWTH_MB
    slowest, growth = max(seconds, key=lambda name: seconds[name]), round(attacked.growth_mb)
    record(
        "a million of one thing",
        things=len(SPECIMENS),
        slowest=slowest,
        slowest_s=round(seconds[slowest], 2),
        peak_growth_mb=growth,
        lost=0,
    )


def test_one_past_the_limit_is_refused_by_index(client: Client) -> None:
    """A sentence at the limit is embedded, one past it is refused."""
    assert outcomes(client, ["x" * CHARS, "y" * (CHARS + 1)])[0] is not None
    with pytest.raises(SentenceError, match=rf"sentences\[1\] has {CHARS + 1} characters"):
        client.encode(["x", "y" * (CHARS + 1)])


def test_bytes_that_are_no_unicode_are_invalid_argument(
    attacked: Victim, form: Form, record: Callable[..., None]
) -> None:
    """Lone surrogates and the classic forbidden encodings are refused; the client refuses them unsent."""
    surrogates = [chr(code).encode("utf-8", "surrogatepass") for code in range(0xD800, 0xE000, form.pick(8, 1))]
    classics = [
        b"\xc0\x80",
        b"\xe0\x80\xaf",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\x80",
        b"\xff",
        b"\xe2\x82",
    ]
    with grpc.insecure_channel("{}:{}".format(*attacked.grpc)) as channel:
        embed: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(PATH)
        for text in [*surrogates, *classics]:
            content = b"\x0a" + bytes([len(text) + 2]) + b"a" + text + b"b"
            with pytest.raises(grpc.RpcError) as refused:
                embed(content, timeout=10)
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        good = embedding_pb2.EmbedResponse.FromString(embed(b"\x0a\x01a", timeout=10))
    assert len(good.embeddings) == 1
    with Client("{}:{}".format(*attacked.grpc)) as client, pytest.raises(SentenceError, match="no valid Unicode"):
        client.encode(["a\ud800b"])
    record("text that is none", cases=len(surrogates) + len(classics), lost=0)
    attacked.answers_right()
