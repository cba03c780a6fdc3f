"""What C++ and Python answer to a stream's messages are the same bytes, or the same end of the stream."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import grpc
import hypothesis
import pytest
from hypothesis import strategies as st

from bothends.server.fronts.bothends.message import Message
from bothends.server.fronts.bothends.stream import EmbedStreams
from bothends.v1.embedding_pb2 import EmbedStreamRequest
from tests.importing.tokenising.hard_texts import HARD
from tests.support.doors import connected
from tests.support.streams import PATH
from tests.support.until import TIMEOUT_S

from .conftest import Both
from .test_two_languages import OPTIONS, SENTENCES, asking, batches

Agree = Callable[[Sequence[bytes]], int]


def outcome(channel: grpc.Channel, contents: Sequence[bytes]) -> list[Any]:
    """Return the responses to a stream's messages, and how it ends: its status, with words and details."""
    call: Any = channel.stream_stream(PATH)(iter(contents), timeout=TIMEOUT_S)
    found: list[Any] = []
    with suppress(grpc.RpcError):
        for content in call:
            found.append(content)  # noqa: PERF402  those before an error are kept
    return [*found, (call.code(), call.details(), call.trailing_metadata())]


@pytest.fixture
def agree(both: Both) -> Iterator[Agree]:
    """Have both servers answer a stream alike; returns how many of its messages have responses."""
    with connected(both.native) as native, connected(both.python) as python:

        def ask(contents: Sequence[bytes]) -> int:
            found = outcome(native, contents)
            assert found == outcome(python, contents), contents
            return len(found) - 1

        yield ask


@pytest.fixture
def left(both: Both, monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """The messages that Python answers in the server that has C++."""
    answered, done = list[Message](), EmbedStreams.done

    def note(streams: EmbedStreams, message: Message) -> None:
        if streams is both.native.streams:
            answered.append(message)
        done(streams, message)

    monkeypatch.setattr(EmbedStreams, "done", note)
    return answered


def test_hard_texts(agree: Agree, left: list[Message]) -> None:
    """Each alone or beside others, with each option; items of some have errors."""
    answered = sum(map(agree, batches(asking(iter(HARD * 4)))))
    assert answered > 100
    assert len(left) < answered * 3 / 4


def test_plain_messages_of_any_length_are_answered_by_c(agree: Agree, left: list[Message]) -> None:
    contents = [
        EmbedStreamRequest(sentences=["there will be dragons", "word " * 300] * count, encoding=count % 5)
        for count in (1, 2, 8, 20, 60)
    ]
    assert agree([content.SerializeToString() for content in contents]) == len(contents)
    assert left == []


def test_messages_of_any_kind(agree: Agree, left: list[Message]) -> None:
    """Known options and unknown ones, sentences of every script, none at all, or too many, in one stream."""
    made = st.builds(lambda sentences, options: EmbedStreamRequest(sentences=sentences, **options), SENTENCES, OPTIONS)
    plain = EmbedStreamRequest(sentences=["there will be dragons"])

    @hypothesis.settings(max_examples=60, database=None)
    @hypothesis.given(st.lists(made, max_size=7))
    def ask(messages: list[EmbedStreamRequest]) -> None:
        assert agree([message.SerializeToString() for message in (plain, *messages)]) > 0

    ask()
    assert not any(message.sentences == plain.sentences for message in left)
