"""Embeds any number of sentences in order by EmbedStream calls; if one breaks, the next call continues from there.

The code serves threads and asyncio, like core.py. Only unanswered messages are kept in memory, and there are few.
"""

import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, Unpack

import grpc
from google.rpc import status_pb2

from ..embeddings import Embedding
from ..errors import BothendsError, RequestError, SentenceError
from ..options import EmbedOptions, parse_options
from ..v1 import embedding_pb2
from ..wire.messages import SERVICE, StreamResponse, decode_embeddings
from ..wire.status import from_status
from .core import ClientCore
from .errors import from_grpc
from .limits import ChunkLimits, encoded_size
from .transport import Method, StreamCall

_SENTENCES = 64
"""Most sentences of one message."""
_IN_FLIGHT = 4
"""Messages in flight: enough for full batches, while one is read here and another written there."""
_EMBED_STREAM = Method(f"/{SERVICE}/EmbedStream", StreamResponse.FromString)
Result: TypeAlias = Embedding | SentenceError


@dataclass(slots=True)
class _Chunk:
    """Sentences of one message. `start` is the place of the first among the caller's."""

    start: int
    sentences: list[str] = field(default_factory=list)
    unsendable: dict[int, SentenceError] = field(default_factory=dict)
    size: int = 0

    def has_room(self, size: int, limits: ChunkLimits) -> bool:
        """Return True if a sentence of `size` bytes fits.

        A sentence that is larger than a message gets a message of its own.
        """
        return not self.sentences or (not self.is_full(limits) and self.size + size <= limits.chunk_bytes)

    def is_full(self, limits: ChunkLimits) -> bool:
        return len(self.sentences) >= min(limits.chunk_sentences, _SENTENCES)

    def sendable(self) -> list[str]:
        return [sentence for index, sentence in enumerate(self.sentences) if index not in self.unsendable]

    def results(self, items: Iterator[Embedding | BothendsError]) -> Iterator[Result]:
        """Yield the result of each sentence: from `items`, or for a sentence that wasn't sent, the error that prevented
        it.

        Raises RequestError if the whole message is invalid.
        """
        for index in range(len(self.sentences)):
            found = self.unsendable.get(index) or next(items)
            yield _sentence_error(found, self.start + index) if isinstance(found, BothendsError) else found


class ResumingStream:
    """Stream of any length, which keeps the messages that were sent and aren't answered yet."""

    def __init__(
        self,
        core: ClientCore[Any],
        sentences: Iterable[str] | AsyncIterable[str],
        timeout_s: float | None,
        **options: Unpack[EmbedOptions],
    ) -> None:
        """Take `sentences` and `options`. Raises TypeError for one string, RequestError for unknown options."""
        if isinstance(sentences, str):
            raise TypeError("pass many sentences, not one string")
        self._core = core
        self._sentences = sentences
        self._asked = parse_options(**options)
        self._fields = core.fields(self._asked)
        self._deadline = core.deadline(math.inf if timeout_s is None else timeout_s)
        self._limits: ChunkLimits
        self._gathered = _Chunk(0)
        self._pending: deque[_Chunk] = deque()
        self._stream: StreamCall | None = None
        self._is_exhausted = False
        self._failures = 0  # in a row

    async def results(self) -> AsyncGenerator[Result, None]:
        """Yield one result for each sentence, in order. Raises the error that finally ends the stream."""
        self._limits = await self._core.limits(self._deadline)
        try:
            async for sentence in _iterate(self._sentences):
                self._add(sentence)
                while len(self._pending) >= _IN_FLIGHT:
                    for result in await self._next_results():
                        yield result
            self._flush()
            self._is_exhausted = True
            self._half_close()
            while self._pending:
                for result in await self._next_results():
                    yield result
            await self._await_end()
        finally:
            self._cancel_stream()

    def _add(self, sentence: str) -> None:
        """Add `sentence` to those that are sent next."""
        index = self._gathered.start + len(self._gathered.sentences)
        size, error = 0, None
        try:
            size = encoded_size(index, sentence)
            if size > self._limits.message_bytes:
                why = f"has {size} bytes; this server's messages may have {self._limits.message_bytes}"
                size, error = 0, SentenceError(index, why)
        except SentenceError as unsendable:
            error = unsendable
        if not self._gathered.has_room(size, self._limits):
            self._flush()
        if error is not None:
            self._gathered.unsendable[len(self._gathered.sentences)] = error
        self._gathered.sentences.append(sentence)
        self._gathered.size += size
        if self._gathered.is_full(self._limits):
            self._flush()

    def _flush(self) -> None:
        """Send the sentences that were gathered, if a stream is open; else the next stream will."""
        chunk = self._gathered
        if chunk.sentences:
            self._gathered = _Chunk(chunk.start + len(chunk.sentences))
            self._pending.append(chunk)
            self._send(chunk)

    def _send(self, chunk: _Chunk) -> None:
        if self._stream is not None and (sentences := chunk.sendable()):
            self._stream.send(embedding_pb2.EmbedStreamRequest(sentences=sentences, **self._fields))

    def _half_close(self) -> None:
        """End this side of the stream, if all sentences were sent on it."""
        if self._stream is not None and self._is_exhausted:
            self._stream.send(None)

    async def _next_results(self) -> list[Result]:
        """Return the results of the first pending chunk, sent as often as it takes and the policy allows."""
        while True:
            try:
                return await self._attempt()
            except RequestError:
                self._cancel_stream()
                if not await self._limits_shrank():
                    raise
            except BothendsError as error:
                self._cancel_stream()
                self._failures += 1
                await self._core.wait_before_retry(error, failures=self._failures, deadline=self._deadline)

    async def _attempt(self) -> list[Result]:
        chunk = self._pending[0]
        response = await self._receive(chunk.start) if chunk.sendable() else None
        items = iter(()) if response is None else self._parse(response, len(chunk.sendable()))
        results = list(chunk.results(items))
        self._pending.popleft()
        self._failures = 0
        self._core.record_success()
        return results

    async def _receive(self, start: int) -> Any:
        """Return the next response, from a new stream if none is open."""
        is_new = self._stream is None
        if self._stream is None:
            self._stream = self._core.open_stream(_EMBED_STREAM, self._deadline)
            self._send(self._pending[0])  # alone: grpc.aio can't say how a stream ended that it was still writing to
        try:
            response = await self._stream.receive()
        except grpc.RpcError as raised:
            raise from_grpc(raised, self._core.name, start) from raised
        if response is None:
            raise BothendsError("the server ended the stream before it had answered all")
        if is_new:
            for chunk in list(self._pending)[1:]:
                self._send(chunk)
            self._half_close()
        return response

    def _parse(self, response: Any, expected: int) -> Iterator[Embedding | BothendsError]:
        """Yield the embeddings and errors in `response`. Raises BothendsError if it makes no sense."""
        if len(response.items) != expected:
            raise BothendsError(f"the server answered {len(response.items)} items for {expected} sentences")
        good = [item.embedding for item in response.items if item.HasField("embedding")]
        version = response.model_version
        decode = partial(decode_embeddings, good, version)
        rows = self._core.decoded(decode, version, self._asked).each() if good else iter(())
        for item in response.items:
            if item.HasField("embedding"):
                yield next(rows)
            else:
                yield from_status(status_pb2.Status.FromString(item.error.SerializeToString()))

    async def _limits_shrank(self) -> bool:
        """Return whether the server takes less than when it was last asked; if so, cut what is pending smaller."""
        known, self._limits = self._limits, await self._core.fetch_limits(self._deadline)
        if self._limits == known:
            return False
        chunks = [*self._pending, self._gathered]
        self._pending.clear()
        self._gathered = _Chunk(chunks[0].start)
        for chunk in chunks:
            for sentence in chunk.sentences:
                self._add(sentence)
        self._flush()
        return True

    async def _await_end(self) -> None:
        """Wait for the server to end the stream. All is answered, so an error that it ends with changes nothing."""
        if self._stream is not None:
            with suppress(grpc.RpcError):
                await self._stream.receive()

    def _cancel_stream(self) -> None:
        if self._stream is not None:
            self._stream.cancel()
            self._stream = None


async def _iterate(sentences: Iterable[str] | AsyncIterable[str]) -> AsyncGenerator[str, None]:
    if isinstance(sentences, AsyncIterable):
        async for sentence in sentences:
            yield sentence
    else:
        for sentence in sentences:
            yield sentence


def _sentence_error(error: BothendsError, index: int) -> SentenceError:
    """Return an item's error with the sentence's place among the caller's."""
    if isinstance(error, SentenceError):
        return error.at(index)
    if isinstance(error, RequestError):
        raise error
    placed = SentenceError(index, f"can't be embedded: {error}")
    placed.__cause__ = error
    return placed
