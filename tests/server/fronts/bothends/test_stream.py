"""EmbedStream over a real channel: in order, the bytes of Embed, and each sentence's error its own."""

import random
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from bothends import EngineError, RequestError
from bothends.engines.select import LoadedEngine
from bothends.model.bundle import Bundle
from bothends.server.server import Server
from bothends.v1 import embedding_pb2, embedding_pb2_grpc
from bothends.wire.status import from_status
from tests.support.doors import TIMEOUT_S, connected, serving
from tests.support.engines import SERVES, until
from tests.support.streams import Stream, request

OPTIONS: list[dict[str, Any]] = [
    {},
    {"normalize": True},
    {"dimensions": 64},
    {"dimensions": 128, "normalize": True, "encoding": embedding_pb2.ENCODING_INT8},
    {"encoding": embedding_pb2.ENCODING_FLOAT16},
    {"encoding": embedding_pb2.ENCODING_SIGN_BITS},
    {"truncation": embedding_pb2.TRUNCATION_KEEP_END},
    {"truncation": embedding_pb2.TRUNCATION_ERROR},
]


@pytest.fixture
def channel(server: Server) -> Iterator[grpc.Channel]:
    with connected(server) as own:
        yield own


def embed(channel: grpc.Channel, message: embedding_pb2.EmbedStreamRequest) -> embedding_pb2.EmbedResponse:
    """What Embed says to the same request: both messages are the same on the wire."""
    same = embedding_pb2.EmbedRequest.FromString(message.SerializeToString())
    return embedding_pb2_grpc.EmbeddingServiceStub(channel).Embed(same)


def embeddings(response: embedding_pb2.EmbedStreamResponse) -> list[bytes]:
    assert all(item.HasField("embedding") for item in response.items)
    return [item.embedding.SerializeToString() for item in response.items]


def count(server: Server, code: str) -> float:
    labels = {"method": "EmbedStream", "code": code}
    return server.metrics.registry.get_sample_value("bothends_requests_total", labels) or 0.0


def queued(server: Server) -> float:
    return server.metrics.registry.get_sample_value("bothends_queue_sentences") or 0.0


def test_responses_are_in_order_and_their_bytes_are_embeds(server: Server, channel: grpc.Channel) -> None:
    """Of messages of any size, all sent at once, so that some are computed before others."""
    dice = random.Random(7)  # noqa: S311  any sizes do
    messages = [
        request(
            *(f"{place} {word} dragons" + " and there" * dice.randrange(30) for word in range(dice.randrange(1, 40)))
        )
        for place in range(60)
    ]
    before = count(server, "OK")
    with Stream(channel) as stream:
        stream.send(*messages)
        found = stream.rest()
    assert len(found) == len(messages)
    for message, response in zip(messages, found, strict=True):
        expected = embed(channel, message)
        assert embeddings(response) == [one.SerializeToString() for one in expected.embeddings]
        assert response.model_version == expected.model_version
    until(lambda: count(server, "OK") == before + 1)


def test_each_message_has_options_of_its_own(channel: grpc.Channel) -> None:
    messages = [request("there will be dragons", "word " * 200, **options) for options in OPTIONS]
    with Stream(channel) as stream:
        stream.send(*messages)
        found = stream.rest()
    for message, response in zip(messages, found, strict=True):
        assert embeddings(response) == [one.SerializeToString() for one in embed(channel, message).embeddings]


@pytest.mark.parametrize(
    ("bad", "options"),
    [
        ("", {}),
        (" \t\n", {}),
        ("\x00", {}),
        ("x" * 65_537, {}),
        ("word " * 300, {"truncation": embedding_pb2.TRUNCATION_ERROR}),
    ],
    ids=["empty", "blank", "no token", "too long", "too many tokens"],
)
def test_a_bad_sentence_costs_itself_only(channel: grpc.Channel, bad: str, options: dict[str, Any]) -> None:
    """Its item is what Embed would have answered, details and all; its neighbours' bytes are unchanged."""
    good = [f"{place} dragons" for place in range(4)]
    message = request(good[0], bad, good[1], bad, **options)
    with Stream(channel) as stream:
        stream.send(request(good[2]), message, request(bad, **options), request(good[3]))
        first, mixed, alone, last = stream.rest()
    with pytest.raises(grpc.RpcError) as raised:
        embed(channel, message)
    (details,) = [value for name, value in raised.value.trailing_metadata() if name == "grpc-status-details-bin"]
    assert mixed.items[1].error.SerializeToString() == details
    assert from_status(mixed.items[3].error).index == 3  # type: ignore[attr-defined]
    assert from_status(alone.items[0].error).index == 0  # type: ignore[attr-defined]
    assert alone.model_version == first.model_version
    rows = [item.embedding for item in (first.items[0], mixed.items[0], mixed.items[2], last.items[0])]
    expected = embed(channel, request(good[2], good[0], good[1], good[3]))
    assert rows == list(expected.embeddings)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"dimensions": 100}, "100 dimensions can't be had"),
        ({"dimensions": -1}, "-1 dimensions can't be had"),
        ({"encoding": 99}, "99 is no Encoding of this contract"),
        ({"truncation": 99}, "99 is no Truncation of this contract"),
    ],
)
def test_options_that_cannot_be_had_are_told_of_each_sentence(
    channel: grpc.Channel, options: dict[str, Any], told: str
) -> None:
    """And the stream goes on."""
    with Stream(channel) as stream:
        stream.send(request("one", "two", **options), request("three"))
        wrong, right = stream.rest()
    errors = [from_status(item.error) for item in wrong.items]
    assert [type(error) for error in errors] == [RequestError, RequestError]
    assert all(str(error).startswith(told) for error in errors)
    assert len(embeddings(right)) == 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (request(), "there are no sentences"),
        (request(*["a"] * 301), "301 sentences are more than this server's limit of 300"),
        (b"\xff\xff\xff", "no EmbedStreamRequest: malformed protobuf"),
        (b"\x0a\x02\xc3\x28", "text that is no UTF-8"),
    ],
    ids=["empty", "too many", "garbage", "no UTF-8"],
)
def test_a_message_that_is_none_ends_the_stream_after_those_before_it(
    server: Server, channel: grpc.Channel, wrong: embedding_pb2.EmbedStreamRequest | bytes, told: str
) -> None:
    """INVALID_ARGUMENT with details; what came before it is answered, what came after it isn't."""
    before = count(server, "INVALID_ARGUMENT")
    with Stream(channel) as stream:
        stream.send(request("one"), request("two", "three"), wrong, request("too late"))
        assert [len(stream.receive().items) for _ in range(2)] == [1, 2]
        error = stream.end()
    assert isinstance(error, RequestError)
    assert told in str(error)
    assert count(server, "INVALID_ARGUMENT") == before + 1


def test_a_message_over_the_limit_ends_the_stream(channel: grpc.Channel) -> None:
    """gRPC itself refuses it, as it does Embed's."""
    with Stream(channel) as stream:
        stream.send(request("x" * 5_000_000))
        with pytest.raises(grpc.RpcError) as raised:
            stream.receive()
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in raised.value.details()


def test_a_stream_without_a_message_ends_well(server: Server, channel: grpc.Channel) -> None:
    before = count(server, "OK")
    with Stream(channel) as stream:
        assert stream.rest() == []
    until(lambda: count(server, "OK") == before + 1)


def test_a_stream_may_pause(channel: grpc.Channel) -> None:
    """Each answer comes though nothing more was sent, and sending may go on after it."""
    with Stream(channel) as stream:
        for place in range(5):
            stream.send(request(f"{place} dragons"))
            assert len(stream.receive().items) == 1
        assert stream.rest() == []


def test_sentences_are_counted_as_embeds_are(server: Server, channel: grpc.Channel) -> None:
    """Tokens read, and those that were cut; not those that couldn't be embedded."""
    value = server.metrics.registry.get_sample_value
    names = ("bothends_sentence_tokens_count", "bothends_sentence_tokens_sum", "bothends_truncated_sentences_total")
    before = [value(name) or 0 for name in names]
    with Stream(channel) as stream:
        stream.send(request("there will be dragons", " "), request("word " * 300))
        stream.rest()
    assert [value(name) for name in names] == [before[0] + 2, before[1] + 4 + 256, before[2] + 1]


def test_the_deadline_bounds_the_stream(server: Server, channel: grpc.Channel) -> None:
    """Of work for longer than that, some is answered; then the caller is told, and nothing waits any more."""
    before = count(server, "DEADLINE_EXCEEDED")
    with Stream(channel, timeout=1.0) as stream:
        stream.send(*[request(*["word " * 250] * 8) for _ in range(1000)])
        with pytest.raises(grpc.RpcError) as raised:
            stream.rest()
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    until(lambda: queued(server) == 0)
    until(lambda: count(server, "DEADLINE_EXCEEDED") == before + 1)


def test_a_deadline_that_has_passed_is_told_at_once(channel: grpc.Channel) -> None:
    with Stream(channel, timeout=1e-6) as stream, pytest.raises(grpc.RpcError) as raised:
        stream.receive()
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.fixture
def poisonable(english: Bundle, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server whose engine fails every batch with a sentence of exactly five tokens, once it has started."""
    run = SERVES.run
    with serving(english, selftest_s=0) as server:

        def poisoned(self: LoadedEngine, sentences: list[list[int]]) -> np.ndarray:
            if any(len(ids) == 5 for ids in sentences):
                raise ArithmeticError("poison")
            return run(self, sentences)

        monkeypatch.setattr(SERVES, "run", poisoned)
        yield server
        monkeypatch.setattr(SERVES, "run", run)


def test_a_sentence_that_the_engine_can_not_run_costs_itself_only(poisonable: Server, channel: grpc.Channel) -> None:
    """Its message is embedded sentence by sentence, and its neighbours' bytes are the same."""
    poison = "there will be five dragons"
    message = request("dragons", poison, "there will be dragons", "a man plays", poison)
    with connected(poisonable) as sick, Stream(sick) as stream:
        stream.send(request("before"), message, request(poison), request("after"))
        before, mixed, alone, after = stream.rest()
    for item in (mixed.items[1], mixed.items[4], alone.items[0]):
        error = from_status(item.error)
        assert isinstance(error, EngineError)
        assert "poison" not in item.error.message
    expected = embed(channel, request("before", "dragons", "there will be dragons", "a man plays", "after"))
    good = [before.items[0], mixed.items[0], mixed.items[2], mixed.items[3], after.items[0]]
    assert [item.embedding for item in good] == list(expected.embeddings)


def test_a_message_at_which_the_engine_hangs_is_not_tried_again(
    english: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of it would hang as long. Each sentence is told; the stream ends where the model is withdrawn for it."""
    run, goes_on, hung = SERVES.run, threading.Event(), []
    with serving(english, selftest_s=0, engine_timeout_s=0.2) as server, connected(server) as channel:

        def hang(self: LoadedEngine, sentences: list[list[int]]) -> np.ndarray:
            if any(len(ids) == 5 for ids in sentences):
                hung.append(len(sentences))
                goes_on.wait(TIMEOUT_S)
            return run(self, sentences)

        monkeypatch.setattr(SERVES, "run", hang)
        with Stream(channel) as stream:
            stream.send(request("dragons", "there will be five dragons"))
            found = stream.receive()
        goes_on.set()
        assert [type(from_status(item.error)) for item in found.items] == [EngineError, EngineError]
        assert len(hung) == 1
