"""Messages of a stream with sentences that can't be embedded, over a real channel: each costs itself only."""

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from bothends import EngineError, NotServingError, OverloadedError, RequestError
from bothends.batching.request import Request
from bothends.core.embedder import Embedder
from bothends.core.loaded import LoadedModel
from bothends.errors import BothendsError
from bothends.model.bundle import Bundle
from bothends.observe.metrics import Metrics
from bothends.server.context import CallContext
from bothends.server.fronts.bothends.message import StreamMessage
from bothends.server.grpc.calls.source import GrpcInbound
from bothends.server.server import Server
from bothends.settings import EmbedderSettings
from bothends.v1 import embedding_pb2
from bothends.wire.status import _sentence_status, from_status
from tests.support.calls import HandHeldCall, context_of
from tests.support.doors import connected, left_to_python, serving
from tests.support.garbage import left_in_circles
from tests.support.lending import lend_no_engine, patch_runs
from tests.support.streams import Stream, request
from tests.support.until import TIMEOUT_S, until

from .asking import embed, embeddings


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
    """The item has the error that Embed would have answered, details and all; its neighbours' bytes are unchanged."""
    good = [f"{index} dragons" for index in range(4)]
    message = request(good[0], bad, good[1], bad, **options)
    with Stream(channel) as stream:
        stream.send(request(good[2]), message, request(bad, **options), request(good[3]))
        first, mixed, alone, last = stream.rest()
    with pytest.raises(grpc.RpcError) as raised:
        embed(channel, message)
    (details,) = [each.value for each in raised.value.trailing_metadata() if each.key == "grpc-status-details-bin"]
    assert mixed.items[1].error.SerializeToString() == details
    assert from_status(mixed.items[3].error).index == 3  # type: ignore[attr-defined]
    assert from_status(alone.items[0].error).index == 0  # type: ignore[attr-defined]
    assert alone.model_version == first.model_version
    rows = [item.embedding for item in (first.items[0], mixed.items[0], mixed.items[2], last.items[0])]
    expected = embed(channel, request(good[2], good[0], good[1], good[3]))
    assert rows == list(expected.embeddings)


def test_errors_of_empty_sentences_by_the_hundred_are_made_once(server: Server, channel: grpc.Channel) -> None:
    """Two bytes each, and an error each, which isn't made twice."""
    most = server.service.embedder.limits.sentences
    with Stream(channel) as stream:
        stream.send(request(*[""] * most))
        first = stream.receive()
        before = _sentence_status.cache_info().misses
        stream.send(request(*[""] * most))
        assert stream.receive() == first
    assert _sentence_status.cache_info().misses == before
    assert [from_status(item.error).index for item in first.items] == list(range(most))  # type: ignore[attr-defined]


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
    """Every item has the error, and the stream goes on."""
    with Stream(channel) as stream:
        stream.send(request("one", "two", **options), request("three"))
        wrong, right = stream.rest()
    errors = [from_status(item.error) for item in wrong.items]
    assert [type(error) for error in errors] == [RequestError, RequestError]
    assert all(str(error).startswith(told) for error in errors)
    assert len(embeddings(right)) == 1


@pytest.fixture
def poisonable(english: Bundle, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server whose engine fails every batch with a sentence of exactly five tokens, once it has started."""
    lend_no_engine(monkeypatch)
    with serving(english, selftest_s=0) as server, monkeypatch.context() as patched:

        def poison(lengths: list[int]) -> None:
            if 5 in lengths:
                raise ArithmeticError("poison")

        patch_runs(patched, lambda sentences: poison([*map(len, sentences)]))
        yield server


def test_a_sentence_that_the_engine_can_not_run_costs_itself_only(poisonable: Server, channel: grpc.Channel) -> None:
    """The message is embedded sentence by sentence, and its neighbours' bytes are the same."""
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
    """A part of it would hang as long. Each sentence has the error; the stream ends as the model is withdrawn."""
    goes_on, hung = threading.Event(), list[int]()
    lend_no_engine(monkeypatch)
    with serving(english, selftest_s=0, engine_timeout_s=0.2) as server, connected(server) as channel:
        (five,) = server.service.embedder.model.tokenizer.encode(["there will be five dragons"])

        def hang(sentences: list[list[int]]) -> None:
            if list(five.ids) in sentences:  # not at the self-test of the model that takes over
                hung.append(len(sentences))
                goes_on.wait(TIMEOUT_S)

        patch_runs(monkeypatch, hang)
        with Stream(channel) as stream:
            stream.send(left_to_python(request("dragons", "there will be five dragons")))
            found = stream.receive()
        goes_on.set()
        assert [type(from_status(item.error)) for item in found.items] == [EngineError, EngineError]
        assert len(hung) == 1


class Told:
    """A listener that notes what became of a message."""

    def __init__(self) -> None:
        self.errors: list[BothendsError] = []

    def done(self, message: StreamMessage) -> None:
        message.close()

    def full(self, message: StreamMessage, error: OverloadedError) -> None:
        raise AssertionError("there is room") from error

    def failed(self, message: StreamMessage, error: BothendsError) -> None:
        message.close()
        self.errors.append(error)


@pytest.mark.parametrize("takes_over", [False, True])
def test_a_messages_rows_are_all_of_one_model(toy_bundle: Bundle, newer: list[Bundle], takes_over: bool) -> None:
    """A message has no answer where another model takes over between two of its parts: vectors can't be compared."""
    settings, metrics, told = EmbedderSettings(device="cpu", workers=1), Metrics(), Told()
    with Embedder.load(toy_bundle, settings=settings, metrics=metrics) as embedder:
        message = StreamMessage(
            request("a man", "plays"),
            embedder=embedder,
            context=context_of(HandHeldCall()),
            listener=told,
        )
        message.begin_at([0])
        until(lambda: metrics.registry.get_sample_value("bothends_sentence_tokens_count", {"model": "toy"}) == 1)
        if takes_over:
            embedder.serve(LoadedModel.load(newer[0], settings))
        message.begin_at([1])
        until(lambda: message.content is not None or told.errors)
    assert (message.content is None) == takes_over
    assert [type(error) for error in told.errors] == [NotServingError] * takes_over


def test_nor_does_one_that_fails(poisonable: Server) -> None:
    """Errors of an engine hold no frame that holds them, by whichever call they are told."""
    with connected(poisonable) as channel, Stream(channel) as stream:

        def ask() -> None:
            stream.send(request("there will be five dragons"))
            stream.receive()
            with pytest.raises(grpc.RpcError, match="the model run failed"):
                embed(channel, request("there will be five dragons"))

        assert left_in_circles(ask, GrpcInbound, CallContext, StreamMessage, Request) == []
