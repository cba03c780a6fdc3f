"""Long requests that are served in slices, one step at a time."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from bothends_native import engine, transport

from bothends.v1.embedding_pb2 import EmbedRequest, EmbedResponse
from tests.support.until import TIMEOUT_S, until

from .fast import MAX_TOKENS, encoder_of, path_of
from .raw import ECHO
from .served import Served

MOST = 200
LIMITS: dict[str, Any] = {"max_sentences": MOST, "max_sentence_bytes": 200, "max_request_tokens": 1000}
TOKENS = {"a": 1, "b": 2, "man": 4, "é": 5}
TOGETHER = 16
"""Sentences of a slice, until it is known how fast the encoder is."""


class Long:
    """A transport with a path that serves long requests, one step a call."""

    def __init__(
        self,
        served: Served,
        *,
        encoder: engine.Encoder | None = None,
        codec: transport.Codec | None = None,
        method: int = 0,
        **limits: int,
    ) -> None:
        self.served = served
        self.encoder = encoder or encoder_of()
        self.path = path_of(served, self.encoder, codec=codec, method=method, **(LIMITS | limits))
        self.computed: list[int] = []
        """Sentences of each run."""

    def step(self, path: transport.FastPath | None = None, most: int = 0) -> list[transport.Message]:
        """Take once, and serve what was taken; returns what is for Python."""
        path = path or self.path
        taken = path.take_messages(most, 0.0, 1 << 20, 1)
        assert taken is not None
        self.computed += [len(run.waited_s) for run in path.served() if run.waited_s]
        return list(taken.messages)

    def answers(self, call: "grpc.Future[bytes]", path: transport.FastPath | None = None) -> bytes:
        """Serve until a call has its answer."""
        until(lambda: self.step(path) == [] and call.done())
        return bytes(call.result())

    def waits(self, count: int = 1) -> None:
        """Wait until so many messages wait."""
        until(lambda: self.served.figure("waiting") == count)

    def begin(self, call: Any, content: bytes, *, steps: int, timeout: float = TIMEOUT_S) -> "grpc.Future[bytes]":
        """Begin a call, have it read, and compute so many slices of it."""
        future: grpc.Future[bytes] = call.future(content, timeout=timeout)
        self.waits()
        for _ in range(1 + steps):
            self.step()
        return future


@pytest.fixture
def long(serve: Callable[..., Served]) -> Long:
    return Long(serve())


@pytest.fixture
def call(long: Long) -> Iterator[Any]:
    with long.served.channel() as channel:
        yield channel.unary_unary(ECHO)


def request_of(*sentences: str) -> bytes:
    return EmbedRequest(sentences=sentences).SerializeToString()


def sentences_of(seed: int, count: int) -> list[str]:
    draw = random.Random(seed)  # noqa: S311  not a secret
    return [" ".join(draw.choices(list(TOKENS), k=draw.randint(1, 9))) for _ in range(count)]


def checked(content: bytes, encoder: Any, sentences: list[str], version: str = "7.1") -> None:
    """Check an answer's bytes against what the encoder says of each sentence alone."""
    found = EmbedResponse.FromString(content)
    assert len(found.embeddings) == len(sentences)
    for row, sentence in zip(found.embeddings, sentences, strict=True):
        ids = [TOKENS[word] for word in sentence.split()]
        read = np.array(ids[:MAX_TOKENS], np.int32)
        assert list(row.values) == encoder.run(read, np.array([0, len(read)]))[0].tolist()
        assert (row.token_count, row.truncated) == (len(read), len(ids) > MAX_TOKENS)
    assert found.model_version == version
    assert found.SerializeToString() == content
