"""Streams that break, end early or answer nonsense: one result a sentence, in order, or one error."""

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import grpc
import numpy as np
import pytest

from bothends import (
    BothendsError,
    Client,
    ConnectionFailedError,
    DeadlineError,
    DrainingError,
    EngineError,
    ModelChangedError,
    OverloadedError,
    QuotaError,
    RequestError,
    Retry,
    SentenceError,
)
from bothends.v1 import embedding_pb2
from bothends.wire.messages import encode_items
from bothends.wire.status import to_status
from tests.support.awaited import Awaited
from tests.support.grpcs import EmbedStream, answer_item, refuse, serving
from tests.support.until import TIMEOUT_S

Either = type[Client] | type[Awaited]


Requests = Iterator[embedding_pb2.EmbedStreamRequest]


SENTENCES = ["x" * number for number in range(1, 31)]
"""Sentences that plain servers' answers tell apart: an answer is the length. These take two in one message."""


AT_ONCE = Retry(first_wait_s=0.0, attempts=4)


def lengths(results: Iterator[Any]) -> list[float]:
    return [float(row[0]) for row in results]


def breaking(times: int, after: int, error: BothendsError, seen: list[list[str]]) -> EmbedStream:
    """A stream that fails after so many answers, so many times; what the first message of each held is seen."""
    left = itertools.repeat(error, times)

    def stream(requests: Requests, context: grpc.ServicerContext) -> Iterator[bytes]:
        failure = next(left, None)
        for index, request in enumerate(requests):
            if index == 0:
                seen.append(list(request.sentences))
            if failure is not None and index == after:
                refuse(context, failure)
            yield answer_item(request)

    return stream


@pytest.mark.parametrize(
    "error",
    [
        DrainingError("the server is stopping"),
        OverloadedError("full", retry_after_s=0),
        QuotaError("enough", retry_after_s=0),
        ConnectionFailedError("gone"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_stream_goes_on_at_the_first_sentence_without_an_answer(either: Either, error: BothendsError) -> None:
    """Streams may break again and again as long as each gets somewhere: only failures in a row count as attempts."""
    seen: list[list[str]] = []

    def stream(requests: Requests, context: grpc.ServicerContext) -> Iterator[bytes]:
        if isinstance(error, ConnectionFailedError):
            yield from plain(requests, context)
        yield from broken(requests, context)

    def plain(requests: Requests, context: grpc.ServicerContext) -> Iterator[bytes]:
        for index, request in enumerate(requests):
            if index == 0:
                seen.append(list(request.sentences))
            if index == 2 and len(seen) <= 6:
                context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
            yield answer_item(request)

    broken = breaking(6, 2, error, seen)
    with serving(stream=stream) as server, either(server.target, retry=AT_ONCE) as client:
        assert lengths(client.encode_stream(SENTENCES)) == [len(sentence) for sentence in SENTENCES]
    # Two messages of two sentences were answered each time.
    assert [first[0] for first in seen] == [SENTENCES[4 * number] for number in range(7)]


def test_a_stream_that_gets_nowhere_is_given_up(either: Either) -> None:
    """Attempts are as many as for any request; what was answered before has come."""
    seen: list[list[str]] = []
    answered = []

    def stream(requests: Requests, context: grpc.ServicerContext) -> Iterator[bytes]:
        first = next(requests)
        seen.append(list(first.sentences))
        if len(seen) == 1:
            yield answer_item(first)
        refuse(context, OverloadedError("full", retry_after_s=0))

    with serving(stream=stream) as server, either(server.target, retry=AT_ONCE) as client:
        results = client.encode_stream(SENTENCES)
        answered += [next(results) for _ in range(2)] if either is Client else []
        with pytest.raises(OverloadedError, match="full"):
            list(results)
    assert len(seen) == AT_ONCE.attempts
    assert lengths(iter(answered)) == ([1, 2] if either is Client else [])


@pytest.mark.parametrize(
    "error",
    [RequestError("no"), EngineError("broken")],
    ids=lambda error: type(error).__name__,
)
def test_what_another_try_does_not_help_is_raised_at_once(either: Either, error: BothendsError) -> None:
    seen: list[list[str]] = []
    with (
        serving(stream=breaking(9, 0, error, seen)) as server,
        either(server.target, retry=AT_ONCE) as client,
        pytest.raises(type(error), match=to_status(error).message),
    ):
        list(client.encode_stream(SENTENCES))
    assert len(seen) == 1


def test_a_wait_that_would_pass_the_deadline_is_not_begun(either: Either) -> None:
    seen: list[list[str]] = []
    with (
        serving(stream=breaking(9, 0, OverloadedError("full", retry_after_s=3600), seen)) as server,
        either(server.target) as client,
        pytest.raises(OverloadedError),
    ):
        list(client.encode_stream(SENTENCES, timeout_s=TIMEOUT_S))
    assert len(seen) == 1


def test_the_deadline_bounds_the_whole_stream(either: Either) -> None:
    over = threading.Event()

    def stream(requests: Requests, context: grpc.ServicerContext) -> Iterator[bytes]:
        over.wait(TIMEOUT_S)
        yield b""

    with serving(stream=stream) as server, either(server.target) as client:
        with pytest.raises(DeadlineError):
            list(client.encode_stream(SENTENCES, timeout_s=0.2))
        with pytest.raises(DeadlineError):
            list(client.encode_stream(SENTENCES, timeout_s=0))
        over.set()


@pytest.mark.parametrize(
    ("respond", "told"),
    [
        (lambda request: answer_item(embedding_pb2.EmbedStreamRequest(sentences=["a"])), "1 items for 2 sentences"),
        (lambda request: encode_items([{"token_count": 1}] * 2, "1"), "makes no sense"),
        (None, "ended the stream before it had answered all"),
    ],
    ids=["too few", "no numbers", "the end"],
)
def test_an_answer_that_makes_no_sense_is_an_error(
    either: Either, respond: Callable[[Any], bytes] | None, told: str
) -> None:
    """Numbers would move to other sentences if it weren't."""

    def stream(requests: Requests, context: grpc.ServicerContext) -> Iterator[bytes]:
        return iter(()) if respond is None else map(respond, requests)

    with (
        serving(stream=stream) as server,
        either(server.target) as client,
        pytest.raises(BothendsError, match=told),
    ):
        list(client.encode_stream(SENTENCES))


def test_a_sentence_that_the_engine_can_not_run_is_a_result_too(either: Either) -> None:
    def stream(requests: Requests, context: grpc.ServicerContext) -> Iterator[bytes]:
        for _ in requests:
            row = {"values": np.array([1, 2], "<f4").tobytes()}
            yield encode_items([row, to_status(EngineError("the model run failed"))], "1")

    with serving(stream=stream) as server, either(server.target) as client:
        good, bad = client.encode_stream(["good", "bad"])
    assert isinstance(good, np.ndarray)
    assert good.tolist() == [1, 2]
    assert isinstance(bad, SentenceError)
    assert (bad.index, str(bad)) == (1, "sentences[1] can't be embedded: the model run failed")
    assert isinstance(bad.__cause__, EngineError)


def test_a_new_model_is_never_passed_off_as_the_old(either: Either) -> None:
    """Rows alone don't say whose they are, so they end; embeddings say it, and go on."""

    def stream(requests: Requests, context: grpc.ServicerContext) -> Iterator[bytes]:
        for index, request in enumerate(requests):
            yield answer_item(request, version="1" if index < 3 else "2")

    with serving(stream=stream) as server, either(server.target) as client:
        found = [result.model_version for result in cast("Iterator[Any]", client.embed_stream(SENTENCES))]
        assert found == ["1"] * 6 + ["2"] * 24
        with pytest.raises(ModelChangedError, match="model 2 took over from 1"):
            list(client.encode_stream(SENTENCES))
