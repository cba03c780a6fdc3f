"""Calls of many chunks: in order, by one model, within the server's limits; or an error that says why not."""

import itertools
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest

from bothends import (
    BothendsError,
    Client,
    ModelChangedError,
    OverloadedError,
    Retry,
)
from bothends.client.core import ClientCore
from bothends.embeddings import Embeddings
from bothends.model.bundle import Bundle
from bothends.options import DEFAULT_OPTIONS, Encoding
from bothends.server.server import Server
from bothends.settings import Settings
from bothends.v1 import embedding_pb2
from tests.client.asking import Asking
from tests.support.awaited import Awaited
from tests.support.grpcs import answer, refuse, serving


def test_a_chunk_is_tried_again_alone() -> None:
    """Chunks that failed are sent again, no others, and the answer is in order."""
    asked: list[str] = []

    def embed(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        asked.append(request.sentences[0])
        if asked.count("ccc") == 1 and request.sentences[0] == "ccc":
            refuse(context, OverloadedError("full", retry_after_s=0))
        return answer(request)

    with serving(embed) as server:
        found = Asking(server.target).embed("a", "bb", "ccc", "dddd", "eeeee")
    assert found.rows[:, 0].tolist() == [1, 2, 3, 4, 5]
    assert sorted(asked) == ["a", "ccc", "ccc", "eeeee"]


Either = type[Client] | type[Awaited]


def test_too_few_embeddings_are_an_error(either: Either) -> None:
    """A server that loses one would shift all after it to the wrong sentences."""

    def lose(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        return answer(embedding_pb2.EmbedRequest(sentences=request.sentences[:-1]))

    with (
        serving(lose) as server,
        either(server.target) as client,
        pytest.raises(BothendsError, match="1 embeddings for 2 sentences"),
    ):
        client.encode(["one", "two"])


@pytest.mark.parametrize("old", [(0, 1), (1,), (0, 2)], ids=["in order", "overtaken by one", "overtaking one"])
def test_a_new_model_answers_all_of_a_call_or_none(either: Either, old: tuple[int, ...]) -> None:
    """The server's model is replaced after some of five chunks: their vectors would fit nothing that follows."""
    asked: list[list[str]] = []
    sentences = [f"{'x' * number}" for number in range(1, 11)]
    chunks = [sentences[i : i + 2] for i in range(0, 10, 2)]

    def reloaded(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        chunk = list(request.sentences)
        again = chunk in asked
        asked.append(chunk)
        return answer(request, version="1" if chunks.index(chunk) in old and not again else "2")

    with serving(reloaded) as server, either(server.target) as client:
        found = client.embed(sentences)
    assert found.model_version == "2"
    assert found.rows[:, 0].tolist() == [len(sentence) for sentence in sentences]
    assert sorted(asked) == sorted([*chunks, *(chunks[i] for i in old)])  # those of the old model asked twice


def test_models_that_never_agree_are_an_error(either: Either) -> None:
    """Servers behind one address may be upgraded in part, and their balancer have bad luck."""
    count = itertools.count()

    def moody(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        return answer(request, version="1" if request.sentences[0] == "first" else f"2.{next(count)}")

    with (
        serving(moody) as server,
        either(server.target) as client,
        pytest.raises(ModelChangedError, match="models 1 and "),
    ):
        client.encode(["first", "second", "third"])
    assert next(count) <= 6


def test_limits_that_shrank_are_learnt(either: Either, toy_bundle: Bundle) -> None:
    """The server came back with a lower limit than the one that the client knows."""
    settings = Settings(bundle=toy_bundle.path, device="cpu", workers=1, port=0, http_port=0, selftest_s=0)
    before = Server(settings, lame_duck_s=0)
    before.start()
    sentences = [f"sentence {number}" for number in range(60)]
    with either(f"127.0.0.1:{before.port}", retry=Retry(attempts=30), timeout_s=60) as client:
        expected = client.encode(sentences)
        before.stop()
        after = Server(settings.model_copy(update={"port": before.port, "max_sentences": 7}), lame_duck_s=0)
        after.start()
        assert client.encode(sentences).tobytes() == expected.tobytes()
        after.stop()


class Crossed(str):
    """A version that an answer of another version crosses, in the moment in which it is compared."""

    def __new__(cls, version: str, meanwhile: Callable[[], object]) -> "Crossed":
        made = super().__new__(cls, version)
        made.meanwhile = meanwhile  # type: ignore[attr-defined]
        return made

    def __eq__(self, other: object) -> bool:
        self.meanwhile()  # type: ignore[attr-defined]
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_an_answer_of_another_version_meanwhile_changes_no_width() -> None:
    """Two threads use one client while its server's model is replaced: each answer is measured by its own version."""
    core: ClientCore[Any] = ClientCore([], name="nobody", retry=Retry(), timeout_s=1)
    expected: list[int | None] = []

    def answered(version: str, width: int) -> None:
        def decode(encoding: Encoding, dimensions: int | None) -> Embeddings:
            expected.append(dimensions)
            return Embeddings(np.zeros((1, width), np.float32), [1], [False], version)

        core.decoded(decode, version, DEFAULT_OPTIONS)

    answered("1", 512)
    answered(Crossed("1", lambda: answered("2", 384)), 512)
    assert expected == [None, None, 512]
