"""Work on a request before it may be refused takes time in proportion to its size, whatever it holds."""

import ctypes
import gc
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from bothends.core.embedder import Embedder
from bothends.errors import RequestError
from bothends.model.bundle import Bundle
from bothends.model.tokenizer import Tokenizer
from bothends.server.memory import keep_little_memory
from bothends.settings import ModelSettings

pytestmark = pytest.mark.timing  # each takes a text's time at three sizes

CHARS = 65_536
"""Default limit on a sentence."""
SIZES = (CHARS // 256, CHARS // 16, CHARS)
"""Longer ones are refused unread."""
MOST = 2.5**4
"""Factor of time that sixteen times the text may take: 2.5 for each doubling. A quadratic step takes 256 times."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of mallopt(3)."""
HOSTILE = {
    "one word": "x",
    "one cased word": "X",
    "combining marks": "e\u0301",
    "marks in the wrong order": "\u0301\u0316",
    "marks that decompose": "\u0344\u0316",
    "marks that stay, in the wrong order": "\u302e\u1b44",
    "marks that stay, in an order of their own": "\u302e\U0001d165\u1b44\U0001d16d\U00016ff0",
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
    "emoji": "\U0001f469\U0001f3fd\u200d",
}


@pytest.fixture(scope="module", autouse=True)
def kept_memory() -> Iterator[None]:
    """Freed memory stays with the process, where the C library can be told so.

    Otherwise the longest texts alone ask the system for new pages each time, 7,000 of them for 65,536 syllables of
    Hangul, at a price that is the machine's: on some, more than all the rest.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(M_TRIM_THRESHOLD, 1 << 30)
        library.mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the most that glibc takes
    yield
    keep_little_memory()


@pytest.fixture(scope="module")
def tokenizer(english: Bundle) -> Tokenizer:
    return Tokenizer(english.tokenizer, max_tokens=english.config.max_tokens, source=english.path)


def of_size(piece: str, chars: int) -> str:
    return (piece * (chars // len(piece) + 1))[:chars]


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_text_takes_time_by_its_length(tokenizer: Tokenizer, piece: str) -> None:
    """Tokenising by the library, which reads what native tokenizers don't, is linear to the limit."""
    assert_linear(lambda size: tokenizer.pieces([of_size(piece, size)]))


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_so_it_does_whoever_reads_it(tokenizer: Tokenizer, piece: str) -> None:
    """Texts are read natively where that can be."""
    assert_linear(lambda size: tokenizer.encode([of_size(piece, size)]))


@pytest.fixture
def frozen() -> Iterator[None]:
    """Objects as in a server that has started: collections look at what a request made, and not at the tests' own."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("frozen")
def test_so_do_many_sentences_and_many_tokens(english: Bundle) -> None:
    """The whole way to the refusal of a request of too many tokens is linear."""
    settings = ModelSettings(bundle=english.path, device="cpu", workers=1, max_request_tokens=1, max_sentences=10**6)
    with Embedder.load(english, settings=settings) as embedder:

        def refuse(size: int) -> None:
            with pytest.raises(RequestError, match="tokens are more than"):
                embedder.begin(["there be dragons"] * (size // 16))

        assert_linear(refuse)


def assert_linear(work: Callable[[int], object], *, max_s: float = 60) -> None:
    """Assert that the least time of each size, taken by turns, grows by less than `MOST` from size to size.

    A busy machine adds to a time and never takes from it: each turn comes nearer to the truth. Others' load on its
    memory, which a long text feels more than a short one, comes and goes within seconds.
    """
    least = [float("inf")] * len(SIZES)
    end = time.monotonic() + max_s
    while time.monotonic() < end:
        for index, (size, times) in enumerate(zip(SIZES, (9, 3, 1), strict=True)):
            least[index] = min(least[index], *(spent(work, size) for _ in range(times)))
        ratios = [long / short for short, long in pairwise(least)]
        if max(ratios) < MOST:
            return
    pytest.fail(f"sixteen times the text takes {ratios[0]:.1f} times the time, and again {ratios[1]:.1f} times")


def spent(work: Callable[[int], object], size: int) -> float:
    """Measure seconds of processor time, of all threads."""
    started = time.process_time()
    work(size)
    return time.process_time() - started
