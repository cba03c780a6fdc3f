"""Queries to answers: on the thread that brought them, or, where a text is long, on one of the pool's."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from google.rpc import code_pb2

from bothends.core.embedder import Embedder
from bothends.embeddings import Embeddings
from bothends.model.bundle import Bundle
from bothends.observe.metrics import Metrics
from bothends.server.fronts.openai.service import OpenAI
from bothends.server.http.call import BodyLimits
from bothends.server.responder import Query, Responder
from bothends.settings import Settings
from tests.support.calls import HandHeldCall, context_of
from tests.support.until import until

SHORT, LONG = ["a man"], ["a man plays the guitar " * 300]


class CountingPool(ThreadPoolExecutor):
    """A pool that counts what it is handed."""

    submitted = 0

    def submit(self, act: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        self.submitted += 1
        return super().submit(act, *args, **options)


@pytest.fixture
def embedder(toy_bundle: Bundle) -> Iterator[Embedder]:
    with Embedder.load(toy_bundle, settings=Settings(workers=1)) as loaded:
        yield loaded


def count(found: Embeddings) -> bytes:
    return b"%d" % len(found.rows)


@pytest.mark.parametrize(("sentences", "submitted"), [(SHORT, 0), (LONG, 1)])
def test_a_long_text_is_read_in_the_pool(embedder: Embedder, sentences: list[str], submitted: int) -> None:
    """A short one is read at once: to hand it over would cost more."""
    pool = CountingPool(1)
    responder, call = Responder(embedder, Metrics(), pool=pool), HandHeldCall()
    responder.embed(Query(sentences), context_of(call), count)
    until(lambda: call.outcomes)
    assert call.outcomes == [b"1"]
    assert pool.submitted == submitted
    responder.close()


def test_a_long_body_is_handed_to_the_pool_once(embedder: Embedder) -> None:
    """Parsed and tokenised in one turn: it would wait behind others' twice."""
    pool = CountingPool(1)
    responder, call = Responder(embedder, Metrics(), pool=pool), HandHeldCall()
    body = orjson.dumps({"model": embedder.model.config.name, "input": LONG, "truncation": "start"})
    OpenAI(responder, BodyLimits(1 << 20, 1)).embed(body, context_of(call))
    until(lambda: call.outcomes)
    (answer,) = call.outcomes
    assert isinstance(answer, bytes)
    assert len(orjson.loads(answer)["data"]) == 1
    assert pool.submitted == 1
    responder.close()


def test_each_responder_ends_its_own_threads(embedder: Embedder) -> None:
    """Work that was handed over before is done; what comes later is done by the thread that brings it."""
    before = set(threading.enumerate())
    responder, threads = Responder(embedder, Metrics()), list[threading.Thread]()
    responder.submit(lambda: threads.append(threading.current_thread()), LONG)
    responder.close()
    until(lambda: threads and not threads[0].is_alive())
    assert set(threading.enumerate()) <= before
    responder.submit(lambda: threads.append(threading.current_thread()), LONG)
    assert threads[1] is threading.current_thread()


def test_an_error_is_the_answer(embedder: Embedder) -> None:
    """An error that is found in the pool is one too."""
    responder = Responder(embedder, Metrics())
    for sentences in ([""], ["", *LONG]):
        call = HandHeldCall()
        responder.embed(Query(sentences), context_of(call), count)
        until(lambda call=call: call.outcomes)
        (status,) = call.outcomes
        assert not isinstance(status, bytes)
        assert status.code == code_pb2.INVALID_ARGUMENT
    responder.close()
