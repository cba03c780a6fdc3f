"""Sentences without end to embeddings in order, through streams: where one breaks, the next goes on in its place.

Written once for threads and for asyncio, as caller.py is. Keeps a few messages, and nothing that was answered.
"""

import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias, Unpack

import grpc
from google.rpc import status_pb2

from ..embeddings import Embedding
from ..errors import BothendsError, RequestError, SentenceError
from ..options import EmbedOptions
from ..v1 import embedding_pb2
from ..wire.messages import SERVICE, StreamResponse, decode_embeddings, fields
from ..wire.status import from_status
from .core import Caller, ChunkLimits, encoded_size
from .errors import from_grpc
from .transport import Method, StreamCall

_SENTENCES = 64
"""Of one message, at most."""
_IN_FLIGHT = 4
"""Messages: enough for full batches, while one is read here and another written there."""
_EMBED_STREAM = Method(f"/{SERVICE}/EmbedStream", StreamResponse.FromString)
Result: TypeAlias = Embedding | SentenceError


@dataclass(slots=True)
class _Chunk:
    """Sentences of one message; `start` is the place of the first among the caller's."""

    start: int
    sentences: list[str] = field(default_factory=list)
    unsendable: dict[int, SentenceError] = field(default_factory=dict)
    size: int = 0

    def has_room(self, size: int, limits: ChunkLimits) -> bool:
        """A sentence larger than any message should be has one of its own."""
        return not self.sentences or (not self.is_full(limits) and self.size + size <= limits.chunk_bytes)

    def is_full(self, limits: ChunkLimits) -> bool:
        return len(self.sentences) >= min(limits.chunk_sentences, _SENTENCES)

    def sendable(self) -> list[str]:
        return [sentence for place, sentence in enumerate(self.sentences) if place not in self.unsendable]

    def results(self, response: Any | None) -> Iterator[Result]:
        """What a response, or none where nothing was sent, says of each. Raises RequestError for the whole message."""
        items = iter(()) if response is None else _read(response, len(self.sendable()))
        for place in range(len(self.sentences)):
            found = self.unsendable.get(place) or next(items)
            yield _placed(found, self.start + place) if isinstance(found, BothendsError) else found


class ResumingStream:
    """A stream of any length: what was sent of it and isn't answered yet."""

    def __init__(
        self,
        caller: Caller[Any],
        sentences: Iterable[str] | AsyncIterable[str],
        timeout_s: float | None,
        **asked: Unpack[EmbedOptions],
    ) -> None:
        """Raises TypeError for one string, and RequestError for options that nobody has."""
        if isinstance(sentences, str):
            raise TypeError("pass many sentences, not one string")
        self._caller = caller
        self._sentences = sentences
        self._options = fields(**asked)
        self._deadline = caller.deadline(math.inf if timeout_s is None else timeout_s)
        self._limits: ChunkLimits
        self._filling = _Chunk(0)
        self._waiting: deque[_Chunk] = deque()
        self._stream: StreamCall | None = None
        self._are_all_read = False
        self._failures = 0  # in a row

    async def results(self) -> AsyncGenerator[Result, None]:
        """One for each sentence, in order. Raises what ends it for good."""
        self._limits = await self._caller.limits(self._deadline)
        try:
            async for sentence in _each(self._sentences):
                self._add(sentence)
                while len(self._waiting) >= _IN_FLIGHT:
                    for result in await self._next():
                        yield result
            self._post()
            self._are_all_read = True
            self._say_so()
            while self._waiting:
                for result in await self._next():
                    yield result
            await self._part()
        finally:
            self._hang_up()

    def _add(self, sentence: str) -> None:
        """To those that are sent next."""
        place = self._filling.start + len(self._filling.sentences)
        size, error = 0, None
        try:
            size = encoded_size(place, sentence)
            if size > self._limits.message_bytes:
                why = f"has {size} bytes; this server's messages may have {self._limits.message_bytes}"
                size, error = 0, SentenceError(place, why)
        except SentenceError as unsendable:
            error = unsendable
        if not self._filling.has_room(size, self._limits):
            self._post()
        if error is not None:
            self._filling.unsendable[len(self._filling.sentences)] = error
        self._filling.sentences.append(sentence)
        self._filling.size += size
        if self._filling.is_full(self._limits):
            self._post()

    def _post(self) -> None:
        """Send what was gathered, if a stream is open; else the next one will."""
        chunk = self._filling
        if chunk.sentences:
            self._filling = _Chunk(chunk.start + len(chunk.sentences))
            self._waiting.append(chunk)
            self._send(chunk)

    def _send(self, chunk: _Chunk) -> None:
        if self._stream is not None and (sentences := chunk.sendable()):
            self._stream.send(embedding_pb2.EmbedStreamRequest(sentences=sentences, **self._options))

    def _say_so(self) -> None:
        """That all is sent, if it is."""
        if self._stream is not None and self._are_all_read:
            self._stream.send(None)

    async def _next(self) -> list[Result]:
        """What became of the first sentences that wait, as often asked as it takes and the policy allows."""
        while True:
            try:
                return await self._answer()
            except RequestError:
                self._hang_up()
                if not await self._has_learnt():
                    raise
            except BothendsError as error:
                self._hang_up()
                self._failures += 1
                await self._caller.before_another(error, failures=self._failures, deadline=self._deadline)

    async def _answer(self) -> list[Result]:
        chunk = self._waiting[0]
        response = await self._received(chunk.start) if chunk.sendable() else None
        results = list(chunk.results(response))
        self._waiting.popleft()
        self._failures = 0
        self._caller.succeeded()
        return results

    async def _received(self, start: int) -> Any:
        """The next response, of another stream where none is open."""
        is_new = self._stream is None
        if self._stream is None:
            self._stream = self._caller.open_stream(_EMBED_STREAM, self._deadline)
            self._send(self._waiting[0])  # alone: grpc.aio can't say how a stream ended that it was still writing to
        try:
            response = await self._stream.receive()
        except grpc.RpcError as raised:
            raise from_grpc(raised, self._caller.name, start) from raised
        if response is None:
            raise BothendsError("the server ended the stream before it had answered all")
        if is_new:
            for chunk in list(self._waiting)[1:]:
                self._send(chunk)
            self._say_so()
        return response

    async def _has_learnt(self) -> bool:
        """Whether the server takes less than when it was last asked; then smaller messages wait."""
        tried, self._limits = self._limits, await self._caller.ask_limits(self._deadline)
        if self._limits == tried:
            return False
        chunks = [*self._waiting, self._filling]
        self._waiting.clear()
        self._filling = _Chunk(chunks[0].start)
        for chunk in chunks:
            for sentence in chunk.sentences:
                self._add(sentence)
        self._post()
        return True

    async def _part(self) -> None:
        """Let the server end the stream; all is answered, whatever it says."""
        if self._stream is not None:
            with suppress(grpc.RpcError):
                await self._stream.receive()

    def _hang_up(self) -> None:
        if self._stream is not None:
            self._stream.cancel()
            self._stream = None


async def _each(sentences: Iterable[str] | AsyncIterable[str]) -> AsyncGenerator[str, None]:
    if isinstance(sentences, AsyncIterable):
        async for sentence in sentences:
            yield sentence
    else:
        for sentence in sentences:
            yield sentence


def _read(response: Any, expected: int) -> Iterator[Embedding | BothendsError]:
    """What a response holds. Raises BothendsError where it makes no sense."""
    if len(response.items) != expected:
        raise BothendsError(f"the server answered {len(response.items)} items for {expected} sentences")
    good = [item.embedding for item in response.items if item.HasField("embedding")]
    try:
        found = decode_embeddings(good, response.model_version) if good else None
    except ValueError as error:
        raise BothendsError(f"the server's answer makes no sense: {error}") from error
    rows = iter(()) if found is None else found.each()
    for item in response.items:
        if item.HasField("embedding"):
            yield next(rows)
        else:
            yield from_status(status_pb2.Status.FromString(item.error.SerializeToString()))


def _placed(error: BothendsError, place: int) -> SentenceError:
    """An item's error, with the sentence's place among the caller's."""
    if isinstance(error, SentenceError):
        return error.at(place)
    if isinstance(error, RequestError):
        raise error
    placed = SentenceError(place, f"can't be embedded: {error}")
    placed.__cause__ = error
    return placed
