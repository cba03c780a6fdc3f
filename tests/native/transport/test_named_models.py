"""A fast path of several models: each request is served by the model that it names, and Python gets all others."""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from bothends_native import engine, transport

from bothends.v1.embedding_pb2 import EmbedRequest, EmbedResponse
from tests.support.until import TIMEOUT_S

from .fast import EMPTY, MAX_TOKENS, WORDS, encoder_of, named, path_of
from .raw import ECHO
from .served import Served

NAMES = ("", "new", "old")
VERSIONS = ("1", "2")


class Both:
    """A path of two models of their own weights; the first answers who names none."""

    def __init__(self, served: Served, **limits: int) -> None:
        self.served = served
        self.encoders = (encoder_of(seed=1), encoder_of(seed=2))
        models = [named("", "new", version=VERSIONS[0]), named("old", version=VERSIONS[1])]
        codec = transport.Codec.embed(models=models, empty=EMPTY)
        self.path = path_of(served, *self.encoders, codec=codec, **limits)
        self.left: list[bytes] = []
        self._threads = [threading.Thread(target=self._take) for _ in range(2)]
        for thread in self._threads:
            thread.start()

    def ask(self, requests: Sequence[EmbedRequest]) -> list[EmbedResponse]:
        """Send them all at once; what C++ leaves comes back as it was sent."""
        with self.served.channel() as channel:
            send = channel.unary_unary(ECHO)
            calls = [send.future(request.SerializeToString(), timeout=TIMEOUT_S) for request in requests]
            return [EmbedResponse.FromString(call.result()) for call in calls]

    def rows(self, request: EmbedRequest) -> list[bytes]:
        """Rows of the model that a request names, each sentence alone."""
        encoder = self.encoders[request.model == "old"]
        return [row_of(encoder, sentence) for sentence in request.sentences]

    def end(self) -> list[transport.RunCounts]:
        self.served.transport.stop(0)
        for thread in self._threads:
            thread.join(TIMEOUT_S)
        return self.path.served()

    def _take(self) -> None:
        thread = threading.get_ident()
        while (taken := self.path.take_messages(64, 1.0, 1 << 20, thread)) is not None:
            self.left += [message.content for message in taken.messages]
            self.served.transport.answer([message.id for message in taken.messages], [b"" for _ in taken.messages])


def row_of(encoder: engine.Encoder, sentence: str) -> bytes:
    ids = [WORDS.index(word) for word in sentence.split()][:MAX_TOKENS]
    row: bytes = encoder.run(np.array(ids, np.int32), np.array([0, len(ids)], np.int64)).tobytes()
    return row


def request(sentences: Sequence[str], name: str) -> EmbedRequest:
    return EmbedRequest(sentences=sentences, model=name or None)


@pytest.fixture
def both(serve: Callable[..., Served]) -> Iterator[Both]:
    made = Both(serve(), max_sentences=100, max_sentence_bytes=200, max_request_tokens=1000)
    yield made
    made.end()


def test_each_request_has_the_rows_of_the_model_that_it_names(both: Both) -> None:
    """Sent all at once, so that batches hold requests for both; lists are cut into slices of one model each."""
    sentences = [" ".join(words) for words in itertools.product(("a", "b", "man"), repeat=2)]
    asked = [request(sentences[:count], name) for _ in range(20) for name in NAMES for count in (1, 3, 9)]
    for one, answer in zip(asked, both.ask(asked), strict=True):
        assert [np.array(each.values, np.float32).tobytes() for each in answer.embeddings] == both.rows(one)
        assert answer.model_version == VERSIONS[one.model == "old"]
    assert both.left == []


def test_what_was_served_is_told_by_model(both: Both) -> None:
    """Sentences, runs and calls of each."""
    both.ask([request(["a man"], name) for name in ("", "old", "new", "old")])
    served = both.end()
    counts = [sum(len(each.counts) for each in served if each.model == model) for model in (0, 1)]
    assert counts == [2, 2]
    assert [sum(each.tokens for each in served if each.model == model) for model in (0, 1)] == [4, 4]


def test_a_name_that_nobody_has_is_pythons(both: Both) -> None:
    """As it came: Python has the words for it."""
    unknown = request(["a man"], "older")
    assert list(both.ask([unknown])[0].embeddings) == []
    assert both.left == [unknown.SerializeToString()]


def test_where_one_model_is_stopped_the_other_answers(both: Both) -> None:
    """Requests for the stopped one are left to Python, single ones and lists alike."""
    both.encoders[1].stop()
    asked = [request(["a man"] * count, name) for name in NAMES for count in (1, 9)]
    answers = both.ask(asked)
    for one, answer in zip(asked, answers, strict=True):
        found = [np.array(each.values, np.float32).tobytes() for each in answer.embeddings]
        assert found == ([] if one.model == "old" else both.rows(one))
    assert sorted(both.left) == sorted(one.SerializeToString() for one in asked if one.model == "old")
