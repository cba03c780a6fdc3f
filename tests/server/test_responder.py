"""Queries are answered, on the thread that brought them."""

from collections.abc import Iterator

import pytest
from google.rpc import code_pb2

from bothends.core.embedder import Embedder
from bothends.embeddings import Embeddings
from bothends.model.bundle import Bundle
from bothends.server.responder import Query, Responder
from bothends.settings import Settings
from tests.support.calls import HandHeldCall, context_of
from tests.support.until import until

LONG = "a man plays the guitar " * 300


@pytest.fixture
def embedder(toy_bundle: Bundle) -> Iterator[Embedder]:
    with Embedder.load(toy_bundle, settings=Settings(workers=1)) as loaded:
        yield loaded


def count(found: Embeddings) -> bytes:
    return b"%d" % len(found.rows)


def answer_to(embedder: Embedder, sentences: list[str]) -> object:
    """Ask, and return the answer or the status."""
    call = HandHeldCall()
    context = context_of(call)
    with context.guarding():
        Responder(embedder).embed(Query(sentences), context, count)
    until(lambda: call.outcomes)
    return call.outcomes[0]


@pytest.mark.parametrize("sentences", [["a man"], [LONG], ["a man"] * 40])
def test_an_answer_is_what_was_written(embedder: Embedder, sentences: list[str]) -> None:
    assert answer_to(embedder, sentences) == b"%d" % len(sentences)


@pytest.mark.parametrize("sentences", [[""], ["", LONG]])
def test_an_error_is_the_answer(embedder: Embedder, sentences: list[str]) -> None:
    status = answer_to(embedder, sentences)
    assert status.code == code_pb2.INVALID_ARGUMENT  # type: ignore[attr-defined]


def test_nothing_is_read_for_a_call_that_is_over(embedder: Embedder) -> None:
    """The tokenizer asks between two pieces of a long list, and its caller has left."""
    call, asked = HandHeldCall(), 0
    context = context_of(call)

    def is_over() -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:
            call.leave()
        return asked > 1

    context.is_over = is_over  # type: ignore[method-assign]
    with context.guarding():
        Responder(embedder).embed(Query([LONG] * 200), context, count)
    assert asked == 2
    assert call.outcomes == []
