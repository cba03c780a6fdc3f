"""Queries are answered, on the thread that brought them."""

import time
from collections.abc import Iterator

import pytest
from google.rpc import code_pb2

from bothends.core.embedder import Embedder
from bothends.core.query import Query
from bothends.embeddings import Embeddings
from bothends.model.bundle import Bundle
from bothends.observe.tracing import NO_SPAN
from bothends.server.context import CallContext
from bothends.server.quota import KeyAccount, Quota
from bothends.server.responder import Responder
from bothends.settings import Settings
from tests.support.calls import HandHeldCall, context_of, only_code
from tests.support.until import until

LONG = "a man plays the guitar " * 300
HOUR_S = 3600


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


def test_its_caller_pays_for_writing_before_it_is_answered(embedder: Embedder) -> None:
    """What the thread that writes uses; for running whoever runs it charges."""
    works_s = 0.01

    def write(found: Embeddings) -> bytes:
        ends = time.thread_time() + works_s
        while time.thread_time() < ends:
            pass
        return b"written"

    call = HandHeldCall()
    Responder(embedder).embed(Query([LONG]), context_of(call), write)
    until(lambda: call.outcomes)
    assert call.outcomes == [b"written"]
    assert call.charged_s >= works_s


@pytest.mark.parametrize("sentences", [[""], ["", LONG]])
def test_an_error_is_the_answer(embedder: Embedder, sentences: list[str]) -> None:
    status = answer_to(embedder, sentences)
    assert status.code == code_pb2.INVALID_ARGUMENT  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("of_query", "of_call"),
    [(HOUR_S, -1), (-1, HOUR_S), (None, -1), (-1, None)],
    ids=["call", "query", "only call", "only query"],
)
def test_the_earlier_of_two_deadlines_counts(embedder: Embedder, of_query: float | None, of_call: float | None) -> None:
    """A query's and its call's; here one of them has passed."""
    time_of = {s: None if s is None else time.monotonic() + s for s in (of_query, of_call)}
    call = HandHeldCall(deadline=time_of[of_call])
    context = context_of(call)
    with context.guarding():
        Responder(embedder).embed(Query(["a man"], deadline=time_of[of_query]), context, count)
    assert only_code(call) == code_pb2.DEADLINE_EXCEEDED


def test_a_list_over_the_servers_limit_is_not_charged(toy_bundle: Bundle) -> None:
    """Nobody is served it, so it is refused as such, also where the key's share is gone; its cost is paid once."""
    account, codes = KeyAccount("any", Quota(sentences_per_s=0.001)), list[int]()
    with Embedder.load(toy_bundle, settings=Settings(workers=1, max_sentences=3)) as embedder:
        for _ in range(3):
            call = HandHeldCall()
            context = CallContext(call, lambda code, refused: None, NO_SPAN, account)  # type: ignore[arg-type]
            with context.guarding():
                Responder(embedder).embed(Query(["a man"] * 4), context, count)
            codes.append(only_code(call))
    assert codes == [code_pb2.INVALID_ARGUMENT] * 3


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
