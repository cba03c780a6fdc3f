"""What is done with a request before it may be refused takes time in proportion to its size, whatever it holds."""

import resource
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
LESS_THAN = 2.5**4
"""What sixteen times the text may take of the time: 2.5 times for each doubling. A quadratic step takes 256 times."""
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
def test_a_megabyte_costs_what_a_megabyte_costs(tokenizer: Tokenizer, piece: str) -> None:
    """Sixteen times the text that a sentence may hold takes about sixteen times the time."""
    assert growth(lambda size: tokenizer.encode([of_size(piece, size)])) < LESS_THAN


def test_so_do_many_sentences_and_many_tokens(english: Bundle) -> None:
    """The whole way to the refusal of a request of too many tokens."""
    settings = Settings(bundle=english.path, device="cpu", workers=1, max_request_tokens=1, max_sentences=10**6)
    with Embedder.load(english, settings=settings) as embedder:

        def refuse(size: int) -> None:
            with pytest.raises(RequestError, match="tokens are more than"):
                embedder.begin(["there be dragons"] * (size // 16))

        assert growth(refuse) < LESS_THAN


def growth(work: Callable[[int], object], *, most_turns: int = 7) -> float:
    """Of the time for a megabyte to that for a sixteenth of it: of each the least of all turns, taken alternately.

    A busy machine adds to a time and never takes from it, so turns come nearer to the truth; the first below
    `LESS_THAN` ends them.
    """
    short = long = found = float("inf")
    for _ in range(most_turns):
        short = min(short, *(spent(work, CHARS) for _ in range(4)))
        long = min(long, spent(work, MEGABYTE))
        if (found := long / short) < LESS_THAN:
            break
    return found


def spent(work: Callable[[int], object], size: int) -> float:
    """Seconds of all threads, without the kernel's: a short text's memory is at hand, a long one's is mapped anew."""
    started = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    work(size)
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime - started
