"""Sentences to embeddings through servers: plan chunks, send, try again, keep models apart, decode.

Written once for threads and for asyncio: a transport's awaits block in the one and suspend in the other. Knows neither.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeAlias, Unpack

import grpc
from google.protobuf.message import Message

from ..chunks import chunks
from ..embeddings import Embeddings
from ..errors import BothendsError, DeadlineError, ModelChangedError, RequestError, SentenceError
from ..options import EmbedOptions
from ..text import unicode_problem
from ..v1 import embedding_pb2
from ..wire.messages import SERVICE, Response, decode, fields
from .balancer import BalancedCall, Balancer
from .errors import from_grpc
from .retry import Budget, Retry
from .transport import CallT, Method, StreamCall, Transport

_CHUNK_SENTENCES = 128
_CHUNK_BYTES = 1 << 20
_IN_FLIGHT = 2  # one is computed while the next one waits; more would only fill the server's queue
_AROUND_BYTES = 64
"""Of a request, at most, beside one sentence."""
_LONGEST_S = 1e6  # gRPC takes a deadline much further off for one that has passed
_MODELS = 5
"""Times that what another model answered is asked again: while servers are upgraded, they answer in turns."""
Range: TypeAlias = tuple[int, int]


class ChunkLimits(NamedTuple):
    """What a server takes, or what is sensible where that is less."""

    chunk_sentences: int
    chunk_bytes: int
    """Of text: each sentence has a few bytes around it, and a chunk of one is sent whatever its size."""
    message_bytes: int


_EMBED = Method(f"/{SERVICE}/Embed", Response.FromString)
_GET_MODEL = Method(f"/{SERVICE}/GetModel", embedding_pb2.GetModelResponse.FromString)


class Caller(Generic[CallT]):
    """What a client knows between its calls: the model's limits, and what it may spend on retries."""

    def __init__(
        self,
        transports: Sequence[Transport[CallT]],
        *,
        name: str,
        retry: Retry,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
    ) -> None:
        """A transport for each server; `name` is their address for people; `clock` counts as the transports sleep."""
        self._servers = Balancer(transports, clock=clock)
        self.name = name
        self._retry = retry
        self._budget = Budget(retry)
        self._timeout_s = timeout_s
        self._clock = clock
        self._dice = dice
        self._limits: ChunkLimits | None = None

    async def embed(
        self, sentences: Sequence[str], timeout_s: float | None, **asked: Unpack[EmbedOptions]
    ) -> Embeddings:
        """All of `sentences`, embedded by one model."""
        if isinstance(sentences, str):
            raise TypeError("pass a list of sentences, not one string")
        deadline, options = self._deadline(timeout_s), fields(**asked)
        sizes = [encoded_size(index, sentence) for index, sentence in enumerate(sentences)]
        if len(sentences) <= 1:
            return await self._embed(sentences, [(0, len(sentences))], options, deadline)
        limits = await self.limits(deadline)
        while True:
            try:
                parts = list(chunks(sizes, most=limits.chunk_sentences, most_size=limits.chunk_bytes))
                return await self._embed(sentences, parts, options, deadline)
            except SentenceError:
                raise
            except RequestError:
                tried, limits = limits, await self.ask_limits(deadline)
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
            f"{self.name} answered parts of one call by models {' and '.join(sorted(versions))}, {_MODELS} times; "
            "try again when all servers serve the same"
        )

    async def limits(self, deadline: float) -> ChunkLimits:
        """As `ask_limits`, or what was last told."""
        return self._limits or await self.ask_limits(deadline)

    async def ask_limits(self, deadline: float) -> ChunkLimits:
        """What the server takes."""
        model = await self.model(deadline - self._clock())
        largest = model.max_message_bytes
        self._limits = ChunkLimits(
            min(_CHUNK_SENTENCES, model.max_sentences), min(_CHUNK_BYTES, largest // 2), largest - _AROUND_BYTES
        )
        return self._limits

    async def before_another(self, error: BothendsError, *, failures: int, deadline: float) -> None:
        """Wait after the `failures`th failure in a row; raises `error` where another try wouldn't help or can't be."""
        ready_in_s = self._servers.ready_in_s()
        wait_s = self._retry.wait_s(error, failures=failures, dice=self._dice, ready_in_s=ready_in_s)
        if wait_s is None or self._clock() + wait_s >= deadline or not self._budget.spend():
            raise error
        await self._servers.sleep(wait_s)

    def succeeded(self) -> None:
        """A request was answered."""
        self._budget.earn()

    def open_stream(self, method: Method, deadline: float) -> StreamCall:
        """Begin a call of many messages."""
        return self._servers.open_stream(method, timeout_s=self._remaining_s(deadline))

    def deadline(self, timeout_s: float) -> float:
        """The time of this caller's clock at which so many seconds are over."""
        return self._clock() + timeout_s

    async def _responses(self, method: Method, requests: Iterable[tuple[int, Message]], deadline: float) -> list[Any]:
        """The answer to each request, in order. Beside each stands where its sentences begin in the caller's list."""
        waiting: deque[tuple[int, Message, BalancedCall[CallT]]] = deque()
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

    async def _first(
        self, method: Method, waiting: deque[tuple[int, Message, BalancedCall[CallT]]], deadline: float
    ) -> Any:
        """The answer to the first that waits, made again as often as it takes and the policy allows."""
        failures = 0
        while True:
            offset, request, call = waiting[0]
            try:
                response = await self._servers.response(call)
            except grpc.RpcError as raised:
                failures += 1
                error = from_grpc(raised, self.name, offset)
                error.__cause__ = raised
                await self.before_another(error, failures=failures, deadline=deadline)
                waiting[0] = (offset, request, self._start(method, request, deadline))
            else:
                self.succeeded()
                waiting.popleft()
                return response

    def _start(self, method: Method, request: Message, deadline: float) -> BalancedCall[CallT]:
        return self._servers.start(method, request, timeout_s=self._remaining_s(deadline))

    def _remaining_s(self, deadline: float) -> float:
        remaining = deadline - self._clock()
        if remaining <= 0:
            raise DeadlineError("the deadline passed before everything was sent")
        return min(remaining, _LONGEST_S)

    def _deadline(self, timeout_s: float | None) -> float:
        return self.deadline(self._timeout_s if timeout_s is None else timeout_s)


def encoded_size(index: int, sentence: str) -> int:
    """Return the bytes of `sentence` on the wire. Raises SentenceError where it isn't valid Unicode."""
    if (problem := unicode_problem(sentence)) is not None:
        raise SentenceError(index, problem)
    return len(sentence) if sentence.isascii() else len(sentence.encode())


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
