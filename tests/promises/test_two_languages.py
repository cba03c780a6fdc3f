"""What C++ serves and what Python serves are the same: bytes, or the status and its words, whatever is asked."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from bothends.v1.embedding_pb2 import EmbedRequest
from bothends.wire.messages import SERVICE
from tests.importing.tokenising.hard_texts import HARD, TEXTS, every_real_sentence
from tests.support.doors import connected
from tests.support.until import TIMEOUT_S, until

from .conftest import EXAMPLES, LONG, TIMES, Both

AT_ONCE = 32
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "truncation": st.integers(0, 5),
        "normalize": st.booleans(),
        "dimensions": st.sampled_from([0, 64, 128, 512, 3, -1]),
        "encoding": st.integers(0, 5),
    },
)
SENTENCES = st.lists(st.one_of(TEXTS, st.text(max_size=60), st.sampled_from(HARD).filter(lambda text: len(text) < 999)))


@pytest.fixture
def agree(both: Both) -> Iterator[Callable[[Sequence[bytes]], int]]:
    """Have both servers answer requests alike; returns how many were answered with embeddings."""
    with both.agreeing(f"/{SERVICE}/Embed") as agree:
        yield agree


def batches(contents: Iterator[bytes]) -> Iterator[list[bytes]]:
    while batch := list(itertools.islice(contents, AT_ONCE)):
        yield batch


def asking(texts: Iterator[str]) -> Iterator[bytes]:
    """Make a request of each text, or of three, with one after the other of all options."""
    options = itertools.cycle(itertools.product((0, 2, 3, 4, 1), (False, True), (0, 128), range(5)))
    while few := list(itertools.islice(texts, 1)):
        asked: dict[str, Any] = dict(
            zip(("truncation", "normalize", "dimensions", "encoding"), next(options), strict=True)
        )
        few += itertools.islice(texts, 2 * (asked["encoding"] == 3))
        yield EmbedRequest(sentences=few, **asked).SerializeToString()


@TIMES
def test_hard_texts(both: Both, agree: Callable[[Sequence[bytes]], int], times: int) -> None:
    """Beside others, with each option; some are too long, blank, or read by the library alone."""
    before = both.served("Embed", "native")
    answered = sum(map(agree, batches(asking(iter(HARD * times)))))
    assert answered > 25 * times
    until(lambda: both.served("Embed", "native") > before + answered / 2)


def test_no_text_is_left_to_python(both: Both, agree: Callable[[Sequence[bytes]], int]) -> None:
    """Signs, every script, marks, controls, what nobody assigned a meaning to, and added tokens."""
    texts = [
        "a 🙂 👩🏽",
        "a brand™ →",
        "日本語",
        "한국어",
        "שלום",
        "مرحبا",
        "ภาษาไทย",
        "नमस्ते",
        "e\u0301\u0323",
        "[SEP]a[SEP]",
    ]
    texts += ["a\u200b\x00\ue000", "\U0010ffff \u0378", "가\u302e\u1b44", "龍" * 300]
    before = both.served("Embed", "native")
    assert [agree([EmbedRequest(sentences=[text]).SerializeToString()]) for text in texts] == [1] * len(texts)
    until(lambda: both.served("Embed", "native") == before + len(texts))


@EXAMPLES
def test_requests_of_any_kind(both: Both, agree: Callable[[Sequence[bytes]], int], examples: int) -> None:
    """Known options and unknown ones, sentences of every script, none at all, or too many."""
    before = both.served("Embed", "native")
    made = st.builds(lambda sentences, options: EmbedRequest(sentences=sentences, **options), SENTENCES, OPTIONS)

    @hypothesis.settings(max_examples=examples, database=None)
    @hypothesis.given(st.lists(made, min_size=8, max_size=8))
    def ask(requests: list[EmbedRequest]) -> None:
        agree([request.SerializeToString() for request in requests])

    ask()
    until(lambda: both.served("Embed", "native") > before + examples / 3)


@EXAMPLES
def test_bytes_of_any_kind(agree: Callable[[Sequence[bytes]], int], examples: int) -> None:
    """Fields in any order, twice, of other kinds, cut short, or numbers in more bytes than they need."""
    parts = st.one_of(
        st.sampled_from(
            [b"\x0a\x01a", b"\x0a\x05a man", b"\x10\x03", b"\x18\x01", b"\x20\x40", b"\x20\x80\x04", b"\x28\x03"]
        ),
        st.sampled_from(
            [b"\x18\x80\x01", b"\x10\x83\x00", b"\x30\x01", b"\x12\x01a", b"\x08\x01", b"\x8a\x00\x01a", b"\x20"]
        ),
        st.sampled_from([b"\x28" + b"\xff" * 9 + b"\x01", b"\x18" + b"\x80" * 9 + b"\x01", b"\x0a\x02\xc3\x28"]),
        st.binary(max_size=3),
    )

    @hypothesis.settings(max_examples=examples, database=None)
    @hypothesis.given(st.lists(st.lists(parts, max_size=6).map(b"".join), min_size=8, max_size=8))
    def ask(contents: list[bytes]) -> None:
        agree(contents)

    ask()


def test_the_model_is_described_alike(both: Both) -> None:
    """Once it is known, C++ has the answer; a request with a field that nobody knows yet is Python's."""
    before = both.served("GetModel", "native")
    for content in (b"", b"\x08\x01"):
        answers: list[bytes] = []
        for server in (both.native, both.python):
            with connected(server) as channel:
                describe: Any = channel.unary_unary(f"/{SERVICE}/GetModel")
                answers.append(describe(content, timeout=TIMEOUT_S))
        assert answers[0] == answers[1]
    until(lambda: both.served("GetModel", "native") == before + 1)


@pytest.mark.slow
def test_real_sentences_of_every_kind(
    both: Both, agree: Callable[[Sequence[bytes]], int], pytestconfig: pytest.Config
) -> None:
    """Hardly any is left to Python."""
    count = LONG if pytestconfig.getoption("--long") else LONG // 20
    before = both.served("Embed", "python")
    texts = itertools.islice(every_real_sentence(), 0, None, 7)
    answered = sum(map(agree, batches(asking(itertools.islice(texts, count)))))
    assert answered > count / 4
    assert both.served("Embed", "python") - before < count / 20
