"""What C++ and Python answer to a stream's messages are the same bytes, or the same end of the stream."""

from collections.abc import Callable, Iterator, Sequence

import hypothesis
import pytest
from hypothesis import strategies as st

from bothends.v1.embedding_pb2 import EmbedStreamRequest, Encoding
from tests.importing.tokenising.hard_texts import HARD
from tests.support.streams import PATH
from tests.support.until import until

from .conftest import EXAMPLES, TIMES, Both
from .test_two_languages import OPTIONS, SENTENCES, asking, batches

Agree = Callable[[Sequence[bytes]], int]


@pytest.fixture
def agree(both: Both) -> Iterator[Agree]:
    """Have both servers answer a stream alike; returns how many of its messages have responses."""
    with both.streaming(PATH) as ask:
        yield ask


@TIMES
def test_hard_texts(both: Both, agree: Agree, times: int) -> None:
    """Beside others, with each option; items of some have errors."""
    before = both.served("EmbedStream", "native")
    answered = sum(map(agree, batches(asking(iter(HARD * times)))))
    assert answered > 25 * times
    until(lambda: both.served("EmbedStream", "native") > before + answered / 2)


def test_plain_messages_of_any_length_are_answered_by_c(both: Both, agree: Agree) -> None:
    before = both.served("EmbedStream", "native")
    contents = [
        EmbedStreamRequest(sentences=["there will be dragons", "word " * 100] * count, encoding=encoding)
        for count, encoding in ((count, Encoding.Name(count % 5)) for count in (1, 2, 8, 20))
    ]
    assert agree([content.SerializeToString() for content in contents]) == len(contents)
    until(lambda: both.served("EmbedStream", "native") == before + len(contents))


def test_one_that_is_left_to_python_keeps_its_place(both: Both, agree: Agree) -> None:
    """Each is counted by the path that it took."""
    native, python = (both.served("EmbedStream", path) for path in ("native", "python"))
    plain = EmbedStreamRequest(sentences=["there will be dragons"]).SerializeToString()
    unknown = b"\x30\x01"  # a field
    assert agree([plain, plain + unknown, plain]) == 3
    until(lambda: both.served("EmbedStream", "native") == native + 2)
    until(lambda: both.served("EmbedStream", "python") == python + 1)


@EXAMPLES
def test_messages_of_any_kind(both: Both, agree: Agree, examples: int) -> None:
    """Known options and unknown ones, sentences of every script, none at all, or too many, in one stream."""
    made = st.builds(lambda sentences, options: EmbedStreamRequest(sentences=sentences, **options), SENTENCES, OPTIONS)
    plain = EmbedStreamRequest(sentences=["there will be dragons"])
    before, streams = both.served("EmbedStream", "native"), 0

    @hypothesis.settings(max_examples=examples, database=None)
    @hypothesis.given(st.lists(made, max_size=7))
    def ask(messages: list[EmbedStreamRequest]) -> None:
        nonlocal streams
        streams += 1
        assert agree([message.SerializeToString() for message in (plain, *messages)]) > 0

    ask()
    until(lambda: both.served("EmbedStream", "native") >= before + streams)
