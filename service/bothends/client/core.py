"""What a client does to embed sentences: splits them into requests, sends, retries, refuses mixed models, decodes.

The code serves threads and asyncio: the transport that it is given decides how a request is sent, and whether waiting
blocks or suspends.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeAlias, Unpack

import grpc
from google.protobuf.message import Message
from numpy.typing import NDArray

from ..chunks import chunks
from ..embeddings import Embeddings
from ..errors import BothendsError, DeadlineError, ModelChangedError, RequestError, SentenceError, UnknownModelError
from ..options import EmbedOptions, Encoding, Options, is_normalized, no_rows, parse_options
from ..v1 import embedding_pb2
from ..wire.messages import SERVICE, Response, decode, request_fields
from .balancer import BackendCall, Balancer
from .errors import from_grpc
from .limits import ChunkLimits, encoded_size
from .retry import Retry, RetryBudget, fits
from .transport import CallT, Method, StreamCall, Transport

_IN_FLIGHT = 2  # one is computed while the next one waits; more would only fill the server's queue
_LONGEST_S = 1e6  # gRPC takes a deadline much further off for one that has passed
_MODEL_ROUNDS = 5
"""Times that chunks are sent until one model has answered all: while servers are upgraded, two answer in turns."""
Range: TypeAlias = tuple[int, int]

_EMBED = Method(f"/{SERVICE}/Embed", Response.FromString)
_GET_MODEL = Method(f"/{SERVICE}/GetModel", embedding_pb2.GetModelResponse.FromString)


class ClientCore(Generic[CallT]):
    """Calls of a client, and its state between calls: the server's limits and the budget for retries."""

    def __init__(
        self,
        transports: Sequence[Transport[CallT]],
        *,
        name: str,
        retry: Retry,
        timeout_s: float,
        model: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
    ) -> None:
        """Take a transport for each server. `name` is their address for people, `model` the name of the model to ask
        for; `clock` counts as transports sleep.
        """
        self._servers = Balancer(transports, clock=clock)
        self.name = name
        self._retry = retry
        self._budget = RetryBudget(retry)
        self._timeout_s = timeout_s
        self._model = model
        self._clock = clock
        self._dice = dice
        self._limits: ChunkLimits | None = None
        self._width: tuple[str, int] | None = None  # of a version's whole embeddings, as the server first said

    async def embed(
        self, sentences: Sequence[str], timeout_s: float | None, **options: Unpack[EmbedOptions]
    ) -> Embeddings:
        """Embed all `sentences` with one version of the model."""
        if isinstance(sentences, str):
            raise TypeError("pass a list of sentences, not one string")
        deadline, asked = self.deadline(timeout_s), parse_options(**options)
        sizes = [encoded_size(index, sentence) for index, sentence in enumerate(sentences)]
        if len(sentences) <= 1 and self._model is None:
            return await self._embed(sentences, [(0, len(sentences))], asked, deadline)
        limits = await self.limits(deadline)
        while True:
            try:
                parts = list(chunks(sizes, max_count=limits.chunk_sentences, max_size=limits.chunk_bytes))
                return await self._embed(sentences, parts, asked, deadline)
            except SentenceError:
                raise
            except RequestError:
                tried, limits = limits, await self.fetch_limits(deadline)
                if limits == tried:  # else the server takes less than when it was first asked
                    raise

    def fields(self, asked: Options) -> dict[str, Any]:
        """Return the fields of a request beside its sentences."""
        named = {} if self._model is None else {"model": self._model}
        return request_fields(asked) | named

    async def model(self, timeout_s: float | None) -> embedding_pb2.Model:
        """Ask the server about the chosen model and its limits. Raises UnknownModelError if there is no such model."""
        request = embedding_pb2.GetModelRequest(model=self._model)
        (response,) = await self._responses(_GET_MODEL, [(0, request)], self.deadline(timeout_s))
        model: embedding_pb2.Model = response.model
        if not (model.name.isprintable() and model.version.isprintable()):
            raise BothendsError(f"{self.name} gives its model a name that can't be shown")
        if self._model not in (None, model.name):  # a server of before there were several passes over the name
            raise UnknownModelError(f"{self.name} serves {model.name!r} alone, whatever the name; upgrade it")
        return model

    async def no_rows(self, timeout_s: float | None, **options: Unpack[EmbedOptions]) -> NDArray[Any]:
        """Ask the server about its model, and return the empty array that has its dimension."""
        model = await self.model(timeout_s)
        return no_rows(model.dimension, tuple(model.nested_dimensions), **options)

    async def _embed(
        self, sentences: Sequence[str], ranges: Sequence[Range], asked: Options, deadline: float
    ) -> Embeddings:
        """Embed each range of `sentences`; those that an older model answered again, until one model answered all."""
        responses: dict[Range, Any] = {}
        versions: set[str] = set()
        missing, fields = list(ranges), self.fields(asked)
        for _ in range(_MODEL_ROUNDS):
            requests = (
                (start, embedding_pb2.EmbedRequest(sentences=sentences[start:stop], **fields))
                for start, stop in missing
            )
            responses |= zip(missing, await self._responses(_EMBED, requests, deadline), strict=True)
            versions |= {responses[part].model_version for part in missing}
            newest = responses[missing[-1]].model_version  # sent last, so most likely to stay
            missing = [part for part in ranges if responses[part].model_version != newest]
            if not missing:
                return self._decoded(responses, asked)
        raise ModelChangedError(
            f"{self.name} answered parts of one call by models {' and '.join(sorted(versions))}, "
            f"{_MODEL_ROUNDS} times; try again when all servers serve the same"
        )

    def decoded(self, decode: Callable[[Encoding, int | None], Embeddings], version: str, asked: Options) -> Embeddings:
        """Call `decode` with the encoding and the numbers that an answer of this version must have.

        The first answer fixes that number if nothing else has. Raises BothendsError.
        """
        width = self._width  # read once: another thread's answer may bring another version
        known = width[1] if width is not None and width[0] == version else None
        try:
            found = decode(asked.encoding, asked.dimensions or known)
        except ValueError as error:
            raise BothendsError(f"the server's answer makes no sense: {error}") from error
        if asked.normalize and not is_normalized(found.rows, found.scales, asked):
            raise BothendsError("the server's answer makes no sense: rows of length 1 were asked for, and others came")
        if asked.dimensions is None and asked.encoding != "sign_bits":
            self._width = (version, found.rows.shape[1])
        return found

    def _decoded(self, responses: Mapping[Range, Any], asked: Options) -> Embeddings:
        for (start, stop), response in responses.items():
            if len(response.embeddings) != stop - start:
                raise BothendsError(
                    f"the server answered {len(response.embeddings)} embeddings for {stop - start} sentences"
                )
        ordered = [responses[part] for part in sorted(responses)]
        return self.decoded(partial(decode, ordered), ordered[0].model_version, asked)

    async def limits(self, deadline: float) -> ChunkLimits:
        """Return the server's limits, which are fetched at the first call."""
        return self._limits or await self.fetch_limits(deadline)

    async def fetch_limits(self, deadline: float) -> ChunkLimits:
        """Ask the server for its limits."""
        model = await self.model(deadline - self._clock())
        if model.dimension > 0:
            self._width = (model.version, model.dimension)
        self._limits = ChunkLimits.of(model, self.name)
        return self._limits

    async def wait_before_retry(self, error: BothendsError, *, failures: int, deadline: float) -> None:
        """Wait after the `failures`th failure in a row. Raises `error` if another try is no use or not possible."""
        ready_in_s = self._servers.ready_in_s()
        wait_s = self._retry.wait_s(error, failures=failures, dice=self._dice, ready_in_s=ready_in_s)
        if wait_s is None or not fits(wait_s, deadline - self._clock()) or not self._budget.spend():
            raise error
        await self._servers.sleep(wait_s)
        if self._clock() >= deadline:  # the sleep was longer than it was to be
            raise error

    def record_success(self) -> None:
        """Credit a successful request to the budget for retries."""
        self._budget.earn()

    def open_stream(self, method: Method, deadline: float) -> StreamCall:
        """Start a call of many messages."""
        return self._servers.open_stream(method, timeout_s=self._remaining_s(deadline))

    def deadline(self, timeout_s: float | None) -> float:
        """Return the time by this client's clock in `timeout_s` seconds; None stands for the client's default."""
        return self._clock() + (self._timeout_s if timeout_s is None else timeout_s)

    async def _responses(self, method: Method, requests: Iterable[tuple[int, Message]], deadline: float) -> list[Any]:
        """Return the response to each request, in order, with the index of its first sentence in the caller's list."""
        waiting: deque[tuple[int, Message, BackendCall[CallT]]] = deque()
        responses: list[Any] = []
        try:
            for offset, request in requests:
                if len(waiting) == _IN_FLIGHT:
                    responses.append(await self._first_response(method, waiting, deadline))
                waiting.append((offset, request, self._start(method, request, deadline)))
            while waiting:
                responses.append(await self._first_response(method, waiting, deadline))
        finally:
            for _, _, call in waiting:  # something was raised: the others aren't wanted
                call.cancel()
        return responses

    async def _first_response(
        self, method: Method, waiting: deque[tuple[int, Message, BackendCall[CallT]]], deadline: float
    ) -> Any:
        """Return the response to the first that waits, sent again as often as it takes and the policy allows."""
        failures = 0
        while True:
            offset, request, call = waiting[0]
            try:
                response = await self._servers.response(call)
            except grpc.RpcError as raised:
                failures += 1
                error = from_grpc(raised, self.name, offset)
                error.__cause__ = raised
                await self.wait_before_retry(error, failures=failures, deadline=deadline)
                waiting[0] = (offset, request, self._start(method, request, deadline))
            else:
                self.record_success()
                waiting.popleft()
                return response

    def _start(self, method: Method, request: Message, deadline: float) -> BackendCall[CallT]:
        return self._servers.start(method, request, timeout_s=self._remaining_s(deadline))

    def _remaining_s(self, deadline: float) -> float:
        remaining = deadline - self._clock()
        if remaining <= 0:
            raise DeadlineError("the deadline passed before everything was sent")
        return min(remaining, _LONGEST_S)
