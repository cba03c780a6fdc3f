"""Both clients' streams: one result a sentence, in order, whatever happens to the streams underneath."""

import asyncio
import itertools
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import Any

import grpc
import numpy as np
import pytest

from bothends import (
    AsyncClient,
    BothendsError,
    Client,
    ConnectionFailedError,
    DeadlineError,
    DrainingError,
    Embedding,
    EngineError,
    ModelChangedError,
    OverloadedError,
    QuotaError,
    RequestError,
    Retry,
    SentenceError,
    TruncationWarning,
    UnauthenticatedError,
)
from bothends.model.bundle import Bundle
from bothends.server.server import Server
from bothends.settings import Settings
from bothends.v1 import embedding_pb2
from bothends.wire.messages import encode_items
from bothends.wire.status import to_status
from tests.support.awaited import Awaited
from tests.support.doors import serving as serving_bothends
from tests.support.engines import TIMEOUT_S, until
from tests.support.grpcs import EmbedStream, answer_item, refuse, serving

Either = type[Client] | type[Awaited]
Requests = Iterator[embedding_pb2.EmbedStreamRequest]
SENTENCES = ["x" * number for number in range(1, 31)]
"""To be told apart by what the plain servers answer: their length. These take two in one message."""
AT_ONCE = Retry(first_wait_s=0.0, attempts=4)


def lengths(results: Iterator[Any]) -> list[float]:
    return [float(row[0]) for row in results]


def test_rows_are_encodes(each_client: Client | Awaited) -> None:
    """Bit for bit, of as many as there are, from any iterable, with each option."""
    sentences = [f"sentence number {number}" for number in range(1000)]
    assert list(each_client.encode_stream([])) == []
    for options in ({}, {"dimensions": 64, "normalize": True}, {"encoding": "int8"}, {"encoding": "sign_bits"}):
        expected = each_client.encode(sentences, **options)
        found = list(each_client.encode_stream((sentence for sentence in sentences), **options))
        assert len(found) == 1000
        assert all(
            (row.dtype, row.tobytes()) == (right.dtype, right.tobytes())
            for row, right in zip(found, expected, strict=True)
        )


def test_embeddings_are_embeds(each_client: Client | Awaited) -> None:
    """With all that is told of a sentence beside its row."""
    sentences = ["there will be dragons", "word " * 300]
    expected = each_client.embed(sentences, encoding="int8")
    assert expected.scales is not None
    for place, found in enumerate(each_client.embed_stream(sentences, encoding="int8")):
        assert isinstance(found, Embedding)
        assert found.row.tobytes() == expected.rows[place].tobytes()
        assert (found.token_count, found.truncated) == (expected.token_counts[place], expected.truncated[place])
        assert (found.scale, found.model_version) == (expected.scales[place], expected.model_version)


def test_a_bad_sentence_is_its_own_result(each_client: Client | Awaited) -> None:
    """Refused by the server or never sent; its index counts in the caller's own."""
    sentences = ["fine"] * 300
    bad = {
        0: ("half \ud83d a pair", "no valid Unicode"),
        1: ("", "is empty"),
        150: ("x" * 70_000, "has 70000 characters"),
        200: ("x" * 5_000_000, "has 5000000 bytes; this server's messages may have 4194240"),
        299: (" ", "is empty"),
    }
    for place, (sentence, _) in bad.items():
        sentences[place] = sentence
    found = list(each_client.encode_stream(sentences))
    assert len(found) == 300
    assert [place for place, result in enumerate(found) if isinstance(result, SentenceError)] == list(bad)
    for place, (_, told) in bad.items():
        error = found[place]
        assert isinstance(error, SentenceError)
        assert (error.index, told in str(error)) == (place, True)
    (only,) = each_client.encode_stream(["\ud83d"])
    assert isinstance(only, SentenceError)


def test_mistakes_of_the_call_are_told_at_once(each_client: Client | Awaited) -> None:
    """Before anything is read or sent, where that is possible."""
    with pytest.raises(TypeError, match="not one string"):
        next(each_client.encode_stream("there will be dragons"))
    with pytest.raises(RequestError, match="encoding 'float8'"):
        next(each_client.embed_stream([], encoding="float8"))  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="100 dimensions can't be had"):
        next(each_client.encode_stream(["a"], dimensions=100))


def test_a_cut_sentence_warns_once(each_client: Client | Awaited) -> None:
    with pytest.warns(TruncationWarning) as caught:
        assert len(list(each_client.encode_stream(["word " * 300, "short", "word " * 300]))) == 3
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(each_client.embed_stream(["word " * 300]))


def test_what_a_caller_reads_ahead_is_little(server: Server) -> None:
    """And who stops taking cancels what is on its way."""
    taken = itertools.count()
    read = [0]

    def sentences() -> Iterator[str]:
        for read[0] in taken:
            yield f"sentence number {read[0]}"

    def cancelled() -> float:
        labels = {"method": "EmbedStream", "code": "CANCELLED"}
        return server.metrics.registry.get_sample_value("bothends_requests_total", labels) or 0.0

    before = cancelled()
    with Client(f"127.0.0.1:{server.port}") as client:
        rows = client.encode_stream(sentences())
        for _ in range(1000):
            next(rows)
        assert 1000 <= read[0] < 1000 + 5 * 64
        rows.close()  # type: ignore[attr-defined]
        until(lambda: cancelled() == before + 1)


def test_asyncio_takes_asynchronous_sentences(server: Server) -> None:
    """And a task may stop in the middle."""

    async def sentences() -> AsyncIterator[str]:
        for number in itertools.count():
            await asyncio.sleep(0)
            yield f"sentence number {number}"

    async def take() -> list[Any]:
        found = []
        async with AsyncClient(f"127.0.0.1:{server.port}") as client:
            async with aclosing(client.encode_stream(sentences())) as rows:  # type: ignore[type-var]
                async for row in rows:
                    found.append(row)
                    if len(found) == 300:
                        break
            expected = await client.encode([f"sentence number {number}" for number in range(300)])
        return [row.tobytes() == right.tobytes() for row, right in zip(found, expected, strict=True)]

    assert all(asyncio.run(take()))


def test_what_the_callers_source_raises_is_raised(each_client: Client | Awaited) -> None:
    def sentences() -> Iterator[str]:
        yield "one"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(each_client.encode_stream(sentences()))


def breaking(times: int, after: int, error: BothendsError, seen: list[list[str]]) -> EmbedStream:
    """A stream that fails after so many answers, so many times; what the first message of each held is seen."""
    left = itertools.repeat(error, times)

    def stream(requests: Requests, context: grpc.ServicerContext) -> Iterator[bytes]:
        failure = next(left, None)
        for place, request in enumerate(requests):
            if place == 0:
                seen.append(list(request.sentences))
            if failure is not None and place == after:
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
    """Again and again, as long as each gets somewhere: attempts count only those in a row that don't."""
    seen: list[list[str]] = []

    def stream(requests: Requests, context: grpc.ServicerContext) -> Iterator[bytes]:
        if isinstance(error, ConnectionFailedError):
            yield from plain(requests, context)
        yield from broken(requests, context)

    def plain(requests: Requests, context: grpc.ServicerContext) -> Iterator[bytes]:
        for place, request in enumerate(requests):
            if place == 0:
                seen.append(list(request.sentences))
            if place == 2 and len(seen) <= 6:
                context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
            yield answer_item(request)

    broken = breaking(6, 2, error, seen)
    with serving(stream=stream) as server, either(server.target, retry=AT_ONCE) as client:
        assert lengths(client.encode_stream(SENTENCES)) == [len(sentence) for sentence in SENTENCES]
    # Two messages of two sentences were answered each time.
    assert [first[0] for first in seen] == [SENTENCES[4 * number] for number in range(7)]


def test_a_stream_that_gets_nowhere_is_given_up(either: Either) -> None:
    """After as many attempts as for any request; what was answered before has come."""
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
    [RequestError("no"), UnauthenticatedError("who?"), DeadlineError("late"), EngineError("broken")],
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
        serving(stream=breaking(9, 0, OverloadedError("full", retry_after_s=60), seen)) as server,
        either(server.target) as client,
        pytest.raises(OverloadedError),
    ):
        list(client.encode_stream(SENTENCES, timeout_s=5))
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
    """Else numbers would move to other sentences."""

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
    assert good.tolist() == [1, 2]
    assert isinstance(bad, SentenceError)
    assert (bad.index, str(bad)) == (1, "sentences[1] can't be embedded: the model run failed")
    assert isinstance(bad.__cause__, EngineError)


def test_a_new_model_is_never_passed_off_as_the_old(either: Either) -> None:
    """Rows alone don't say whose they are, so they end; embeddings say it, and go on."""

    def stream(requests: Requests, context: grpc.ServicerContext) -> Iterator[bytes]:
        for place, request in enumerate(requests):
            yield answer_item(request, version="1" if place < 3 else "2")

    with serving(stream=stream) as server, either(server.target) as client:
        found = [result.model_version for result in client.embed_stream(SENTENCES)]
        assert found == ["1"] * 6 + ["2"] * 24
        with pytest.raises(ModelChangedError, match="model 2 took over from 1"):
            list(client.encode_stream(SENTENCES))


def test_a_closed_client_says_so(server: Server, either: Either) -> None:
    with either(f"127.0.0.1:{server.port}") as client:
        list(client.encode_stream(["in time"]))
        client.close()
        with pytest.raises(ValueError, match="closed"):
            list(client.encode_stream(["too late"]))


def test_limits_that_shrank_are_learnt(either: Either, english: Bundle) -> None:
    """The server came back with a lower limit than the one that the client knows."""
    sentences = [f"sentence {number}" for number in range(200)]
    settings = {"selftest_s": 0, "max_sentences": 100}
    with serving_bothends(english, **settings) as before:
        client = either(f"127.0.0.1:{before.port}", retry=Retry(attempts=30), timeout_s=60)
        client.__enter__()
        expected = client.encode(sentences)
        port = before.port
    after = Server(
        Settings(bundle=english.path, device="cpu", workers=1, port=port, http_port=0, selftest_s=0, max_sentences=7)
    )
    after.start()
    found = list(client.encode_stream(sentences))
    client.__exit__(None, None, None)
    assert after.stop()
    assert [row.tobytes() for row in found] == [row.tobytes() for row in expected]
