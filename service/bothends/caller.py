"""Sentences to embeddings through servers: plan chunks, send, try again, keep models apart, decode.

Written once for threads and for asyncio: a transport's awaits block in the one and suspend in the other. Knows neither.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, Unpack

import grpc
from google.protobuf.message import Message

from .chunks import chunks
from .embeddings import Embeddings
from .errors import (
    BothendsError,
    DeadlineError,
    ModelChangedError,
    RequestError,
    SentenceError,
)
from .failures import from_grpc
from .options import Asked
from .retry import Budget, Retry
from .v1 import embedding_pb2
from .wire import SERVICE, Response, decode, fields

_CHUNK_SENTENCES = 128
_CHUNK_BYTES = 1 << 20
_IN_FLIGHT = 2  # one is computed while the next one waits; more would only fill the server's queue
_LONGEST_S = 1e6  # gRPC takes a deadline much further off for one that has passed
_MODELS = 5
"""Times that what another model answered is asked again: while servers are upgraded, they answer in turns."""
Range: TypeAlias = tuple[int, int]
Limits: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Method:
    """A unary method: what gRPC calls it, and what its answer's bytes are."""

    path: str
    parse: Callable[[bytes], Any]


_EMBED = Method(f"/{SERVICE}/Embed", Response.FromString)
_GET_MODEL = Method(f"/{SERVICE}/GetModel", embedding_pb2.GetModelResponse.FromString)


class Cancellable(Protocol):
    """A call in progress."""

    def cancel(self) -> Any:
        """Tell the server that nobody wants the answer."""


CallT = TypeVar("CallT", bound=Cancellable)
T = TypeVar("T")


class Transport(Protocol[CallT]):
    """What sends: where threads and asyncio differ."""

    def start(self, method: Method, request: Message, *, timeout_s: float) -> CallT:
        """Send `request`, and don't wait."""

    async def response(self, call: CallT) -> Any:
        """The answer. Raises grpc.RpcError."""

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine over a transport that blocks, so that no await in it ever suspends."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        result: T = finished.value
        return result
    raise AssertionError("a blocking transport has suspended")


class Caller(Generic[CallT]):
    """What a client knows between its calls: the model's limits, and what it may spend on retries."""

    def __init__(
        self,
        transport: Transport[CallT],
        *,
        name: str,
        retry: Retry,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
    ) -> None:
        """`name` is the servers' address for people; `clock` counts in seconds as the transport sleeps in."""
        self._transport = transport
        self._name = name
        self._retry = retry
        self._budget = Budget(retry)
        self._timeout_s = timeout_s
        self._clock = clock
        self._dice = dice
        self._limits: Limits | None = None

    async def embed(self, sentences: Sequence[str], timeout_s: float | None, **asked: Unpack[Asked]) -> Embeddings:
        """All of `sentences`, embedded by one model."""
        if isinstance(sentences, str):
            raise TypeError("pass a list of sentences, not one string")
        deadline, options = self._deadline(timeout_s), fields(**asked)
        sizes = [_encoded_size(index, sentence) for index, sentence in enumerate(sentences)]
        if len(sentences) <= 1:
            return await self._embed(sentences, [(0, len(sentences))], options, deadline)
        limits = self._limits or await self._ask_limits(deadline)
        while True:
            most, most_bytes = limits
            try:
                parts = list(chunks(sizes, most=most, most_size=most_bytes))
                return await self._embed(sentences, parts, options, deadline)
            except SentenceError:
                raise
            except RequestError:
                tried, limits = limits, await self._ask_limits(deadline)
                if limits == tried:  # else the server takes less than when it was first asked
                    raise

    async def model(self, timeout_s: float | None) -> embedding_pb2.Model:
        """The model that is served."""
        request = embedding_pb2.GetModelRequest()
        (response,) = await self._responses(_GET_MODEL, [(0, request)], self._deadline(timeout_s))
        model: embedding_pb2.Model = response.model
        return model

    async def _embed(
        self, sentences: Sequence[str], ranges: Sequence[Range], options: dict[str, Any], deadline: float
    ) -> Embeddings:
        """Each range of `sentences`; those that an older model answered again, until one model has answered all."""
        responses: dict[Range, Any] = {}
        versions: set[str] = set()
        missing = list(ranges)
        for _ in range(_MODELS):
            requests = (
                (start, embedding_pb2.EmbedRequest(sentences=sentences[start:stop], **options))
                for start, stop in missing
            )
            responses |= zip(missing, await self._responses(_EMBED, requests, deadline), strict=True)
            versions |= {responses[part].model_version for part in missing}
            newest = responses[missing[-1]].model_version  # sent last, so most likely to stay
            missing = [part for part in ranges if responses[part].model_version != newest]
            if not missing:
                return _decoded(responses)
        raise ModelChangedError(
            f"{self._name} answered parts of one call by models {' and '.join(sorted(versions))}, {_MODELS} times; "
            "try again when all servers serve the same"
        )

    async def _ask_limits(self, deadline: float) -> Limits:
        """Sentences and bytes of a chunk: what is sensible, or less where the server takes less."""
        model = await self.model(deadline - self._clock())
        # Each sentence has a few bytes around it, and a chunk of one is sent whatever its size.
        self._limits = min(_CHUNK_SENTENCES, model.max_sentences), min(_CHUNK_BYTES, model.max_message_bytes // 2)
        return self._limits

    async def _responses(self, method: Method, requests: Iterable[tuple[int, Message]], deadline: float) -> list[Any]:
        """The answer to each request, in order. Beside each stands where its sentences begin in the caller's list."""
        waiting: deque[tuple[int, Message, CallT]] = deque()
        responses: list[Any] = []
        try:
            for offset, request in requests:
                if len(waiting) == _IN_FLIGHT:
                    responses.append(await self._first(method, waiting, deadline))
                waiting.append((offset, request, self._start(method, request, deadline)))
            while waiting:
                responses.append(await self._first(method, waiting, deadline))
        finally:
            for _, _, call in waiting:  # something was raised: nobody wants the others
                call.cancel()
        return responses

    async def _first(self, method: Method, waiting: deque[tuple[int, Message, CallT]], deadline: float) -> Any:
        """The answer to the first that waits, made again as often as it takes and the policy allows."""
        failures = 0
        while True:
            offset, request, call = waiting[0]
            try:
                response = await self._transport.response(call)
            except grpc.RpcError as raised:
                failures += 1
                error = from_grpc(raised, self._name, offset)
                wait_s = self._retry.wait_s(error, failures=failures, dice=self._dice)
                if wait_s is None or self._clock() + wait_s >= deadline or not self._budget.spend():
                    raise error from raised
                await self._transport.sleep(wait_s)
                waiting[0] = (offset, request, self._start(method, request, deadline))
            else:
                self._budget.earn()
                waiting.popleft()
                return response

    def _start(self, method: Method, request: Message, deadline: float) -> CallT:
        remaining = deadline - self._clock()
        if remaining <= 0:
            raise DeadlineError("the deadline passed before everything was sent")
        return self._transport.start(method, request, timeout_s=min(remaining, _LONGEST_S))

    def _deadline(self, timeout_s: float | None) -> float:
        return self._clock() + (self._timeout_s if timeout_s is None else timeout_s)


def _encoded_size(index: int, sentence: str) -> int:
    try:
        return len(sentence.encode())
    except UnicodeEncodeError as error:
        raise SentenceError.no_unicode(index, error) from None


def _decoded(responses: Mapping[Range, Any]) -> Embeddings:
    for (start, stop), response in responses.items():
        if len(response.embeddings) != stop - start:
            raise BothendsError(
                f"the server answered {len(response.embeddings)} embeddings for {stop - start} sentences"
            )
    try:
        return decode([responses[part] for part in sorted(responses)])
    except ValueError as error:
        raise BothendsError(f"the server's answer makes no sense: {error}") from error
