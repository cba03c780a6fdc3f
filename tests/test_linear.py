"""What is done with a request before it may be refused takes time in proportion to its size, whatever it holds."""

import statistics
import time
from collections.abc import Callable

import pytest

from bothends.bundle import Bundle
from bothends.embedder import Embedder
from bothends.errors import RequestError
from bothends.settings import Settings
from bothends.tokenizer import Tokenizer

CHARS = 65_536
"""The limit on a sentence, by default."""
MEGABYTE = 16 * CHARS
HOSTILE = {
    "one word": "x",
    "one cased word": "X",
    "combining marks": "e\u0301",
    "marks in the wrong order": "\u0301\u0316",
    "marks that decompose": "\u0344\u0316",
    "ligatures that expand": "\ufdfa",
    "jamo": "\u1112\u1161\u11ab",
    "hangul": "\ud55c",
    "ideographs": "\u4e00",
    "marks of punctuation": "!",
    "special tokens": "[CLS]",
    "unfinished tokens": "[CLS",
    "spaces": "a" + " " * 99,
    "control characters": "a\x00\u200b",
    "far planes": "\U0002f800",
}


@pytest.fixture(scope="module")
def tokenizer(english: Bundle) -> Tokenizer:
    return Tokenizer(english.tokenizer, max_tokens=english.config.max_tokens, source=english.path)


def of_size(piece: str, chars: int) -> str:
    return (piece * (chars // len(piece) + 1))[:chars]


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_twice_the_text_takes_twice_the_time(tokenizer: Tokenizer, piece: str) -> None:
    """Processor time of all threads, beyond the limit on characters."""
    assert stays_below(2.5, lambda size: tokenizer.encode([of_size(piece, size)]))


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_megabyte_costs_what_a_megabyte_costs(tokenizer: Tokenizer, piece: str) -> None:
    """Sixteen times the text: about sixteen times the time, three times that where it leaves the processor's caches.

    A quadratic step would show as 256.
    """
    assert stays_below(3 * 16, lambda size: tokenizer.encode([of_size(piece, size)]), large=MEGABYTE, turns=1)


def test_so_do_many_sentences_and_many_tokens(english: Bundle) -> None:
    """The whole way to the refusal of a request of too many tokens."""
    settings = Settings(bundle=english.path, device="cpu", workers=1, max_request_tokens=1, max_sentences=10**6)
    with Embedder.load(english, settings=settings) as embedder:

        def refuse(size: int) -> None:
            with pytest.raises(RequestError, match="tokens are more than"):
                embedder.begin(["there be dragons"] * (size // 16))

        assert stays_below(2.5, refuse)


def stays_below(bound: float, work: Callable[[int], object], **options: int) -> bool:
    """Whether one of three measurements does: others on the machine make a ratio larger, never what is slow quick."""
    return any(ratio(work, **options) < bound for _ in range(3))


def ratio(work: Callable[[int], object], *, large: int = 2 * CHARS, turns: int = 7) -> float:
    """Of the time for the large size to that for the small one; medians of turns, so that a busy machine slows both."""
    spent: dict[int, list[float]] = {CHARS: [], large: []}
    for _ in range(turns):
        for size, times in spent.items():
            started = time.process_time()
            work(size)
            times.append(time.process_time() - started)
    short, long = (statistics.median(times) for times in spent.values())
    return long / short
