"""Both clients' streams: one result a sentence, in order, whatever happens to the streams underneath."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from bothends import (
    AsyncClient,
    Client,
    Embedding,
    RequestError,
    SentenceError,
)
from bothends.model.bundle import Bundle
from bothends.server.server import Server
from tests.support.awaited import Awaited
from tests.support.doors import serving
from tests.support.until import until


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
    """Embeddings hold the row and all that belongs to it."""
    sentences = ["there will be dragons", "word " * 300]
    expected = each_client.embed(sentences, encoding="int8")
    assert expected.scales is not None
    for index, found in enumerate(each_client.embed_stream(sentences, encoding="int8")):
        assert isinstance(found, Embedding)
        assert found.row.tobytes() == expected.rows[index].tobytes()
        assert (found.token_count, found.truncated) == (expected.token_counts[index], expected.truncated[index])
        assert (found.scale, found.model_version) == (expected.scales[index], expected.model_version)


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
    for index, (sentence, _) in bad.items():
        sentences[index] = sentence
    found = list(each_client.encode_stream(sentences))
    assert len(found) == 300
    assert [index for index, result in enumerate(found) if isinstance(result, SentenceError)] == list(bad)
    for index, (_, told) in bad.items():
        error = found[index]
        assert isinstance(error, SentenceError)
        assert (error.index, told in str(error)) == (index, True)
    (only,) = each_client.encode_stream(["\ud83d"])
    assert isinstance(only, SentenceError)


def test_mistakes_of_the_call_are_told_at_once(each_client: Client | Awaited) -> None:
    """No sentence is read or sent before, where that is possible."""
    with pytest.raises(TypeError, match="not one string"):
        next(each_client.encode_stream("there will be dragons"))
    with pytest.raises(RequestError, match="encoding 'float8'"):
        next(each_client.embed_stream([], encoding="float8"))  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="100 dimensions can't be had"):
        next(each_client.encode_stream(["a"], dimensions=100))


def test_what_a_caller_reads_ahead_is_little(toy_bundle: Bundle) -> None:
    """Closing the rows cancels what is on its way. It has a server of its own, where no other stream is counted."""
    taken = itertools.count()
    read = [0]

    def sentences() -> Iterator[str]:
        for read[0] in taken:
            yield f"sentence number {read[0]}"

    def cancelled(server: Server) -> float:
        labels = {"method": "EmbedStream", "code": "CANCELLED"}
        return server.metrics.registry.get_sample_value("bothends_requests_total", labels) or 0.0

    with serving(toy_bundle) as server, Client(f"127.0.0.1:{server.port}") as client:
        rows = client.encode_stream(sentences())
        for _ in range(1000):
            next(rows)
        assert 1000 <= read[0] < 1000 + 5 * 64
        rows.close()  # type: ignore[attr-defined]
        until(lambda: cancelled(server) == 1)


def test_asyncio_takes_asynchronous_sentences(server: Server) -> None:
    """A task may stop in the middle."""

    async def sentences() -> AsyncIterator[str]:
        for number in itertools.count():
            await asyncio.sleep(0)
            yield f"sentence number {number}"

    async def take() -> list[Any]:
        found = list[Any]()
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
