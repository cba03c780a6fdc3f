"""Sentences to NumPy rows through servers, for asyncio: a call suspends until it is answered.

All that isn't sending and waiting stands in caller.py. Needs grpcio, protobuf and numpy only.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Sequence
from typing import Any, Self, TypeVar, Unpack

import grpc.aio
from google.protobuf.message import Message
from numpy.typing import NDArray

from ..embeddings import Embedding, Embeddings, rows_or_warning
from ..errors import SentenceError
from ..options import EmbedOptions
from ..v1 import embedding_pb2
from .channel import TLS, Endpoint, Target
from .core import Caller
from .errors import CLOSED
from .retry import DEFAULT_RETRY, Retry
from .stream import ResumingStream
from .sync import rows_of, serialized
from .transport import Method

T = TypeVar("T")


class AsyncClient:
    """`bothends.Client` for asyncio: the same arguments, methods and errors. Belongs to the loop that first uses it.

    A cancelled task cancels its work at the server. Close it, or use it in `async with`.
    """

    def __init__(
        self,
        target: Target = "127.0.0.1:50051",
        *,
        timeout_s: float = 30.0,
        api_key: str | None = None,
        tls: TLS | bool = False,
        retry: Retry = DEFAULT_RETRY,
        watch_health: bool | None = None,
    ) -> None:
        """As `Client`. May be made before there is a loop."""
        endpoint = Endpoint.of(target, tls=tls, api_key=api_key, watch_health=watch_health)
        self.target = endpoint.name
        self.timeout_s = timeout_s
        self._transports = [AsyncTransport(one) for one in endpoint.each()]
        self._caller = Caller(self._transports, name=endpoint.name, retry=retry, timeout_s=timeout_s)

    async def encode(
        self, sentences: Sequence[str] | str, *, timeout_s: float | None = None, **asked: Unpack[EmbedOptions]
    ) -> NDArray[Any]:
        """As `Client.encode`."""
        if isinstance(sentences, str):
            row: NDArray[Any] = rows_or_warning(await self.embed([sentences], timeout_s=timeout_s, **asked))[0]
            return row
        return rows_or_warning(await self.embed(sentences, timeout_s=timeout_s, **asked))

    async def embed(
        self, sentences: Sequence[str], *, timeout_s: float | None = None, **asked: Unpack[EmbedOptions]
    ) -> Embeddings:
        """As `Client.embed`."""
        return await self._caller.embed(sentences, timeout_s, **asked)

    def encode_stream(
        self,
        sentences: Iterable[str] | AsyncIterable[str],
        *,
        timeout_s: float | None = None,
        **asked: Unpack[EmbedOptions],
    ) -> AsyncIterator[NDArray[Any] | SentenceError]:
        """As `Client.encode_stream`. Who doesn't take all of it closes it, as with `contextlib.aclosing`."""
        return rows_of(ResumingStream(self._caller, sentences, timeout_s, **asked).results())

    def embed_stream(
        self,
        sentences: Iterable[str] | AsyncIterable[str],
        *,
        timeout_s: float | None = None,
        **asked: Unpack[EmbedOptions],
    ) -> AsyncIterator[Embedding | SentenceError]:
        """As `Client.embed_stream`."""
        return ResumingStream(self._caller, sentences, timeout_s, **asked).results()

    async def model(self, *, timeout_s: float | None = None) -> embedding_pb2.Model:
        """As `Client.model`."""
        return await self._caller.model(timeout_s)

    async def close(self) -> None:
        """Close the connection."""
        for transport in self._transports:
            await transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncTransport:
    """A transport whose awaits suspend the task."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._channel: grpc.aio.Channel | None = None
        self._is_closed = False

    def start(self, method: Method, request: Message, *, timeout_s: float) -> "grpc.aio.UnaryUnaryCall[Any, Any]":
        """Send, and don't wait."""
        send: Any = self._open().unary_unary(method.path, type(request).SerializeToString, method.parse)
        call: grpc.aio.UnaryUnaryCall[Any, Any] = send(request, timeout=timeout_s, metadata=self._endpoint.metadata)
        return call

    async def response(self, call: "grpc.aio.UnaryUnaryCall[Any, Any]") -> Any:
        """Wait for the answer."""
        return await self.told(call)

    def open_stream(self, method: Method, *, timeout_s: float) -> "_StreamCall":
        """Begin a call of many messages."""
        return _StreamCall(self, self._open(), method, timeout=timeout_s, metadata=self._endpoint.metadata)

    async def told(self, answer: Awaitable[T]) -> T:
        """Wait for an answer, or the closing of this client."""
        try:
            return await answer
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._is_closed or (task is not None and task.cancelling()):
                raise
            # grpc.aio would cancel whoever waits; what blocks is told, and so is this.
            nothing = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(grpc.StatusCode.CANCELLED, nothing, nothing, CLOSED) from None

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        """Close the channel, and say so to whoever waits."""
        self._is_closed = True
        if self._channel is not None:
            await self._channel.close()

    def _open(self) -> grpc.aio.Channel:
        if self._is_closed:
            raise ValueError("the client is closed")
        if self._channel is None:  # in the loop that will use it
            self._channel = self._endpoint.aio_channel()
        return self._channel


class _StreamCall:
    """A call of many messages. A task of gRPC's takes them from a queue and sends them."""

    def __init__(self, transport: AsyncTransport, channel: grpc.aio.Channel, method: Method, **options: Any) -> None:
        self._transport = transport
        self._outgoing: asyncio.Queue[Message | None] = asyncio.Queue()
        begin: Any = channel.stream_stream(method.path, serialized, method.parse)
        self._call = begin(self._requests(), **options)

    def send(self, request: Message | None) -> None:
        """Send when the server reads; None: nothing more."""
        self._outgoing.put_nowait(request)

    async def receive(self) -> Any | None:
        """The next answer; None after the last."""
        answer = await self._transport.told(self._call.read())
        return None if answer is grpc.aio.EOF else answer

    def cancel(self) -> None:
        """End it, and gRPC's task, which outlives a call that ended by itself."""
        self._call.cancel()
        self._outgoing.put_nowait(None)

    async def _requests(self) -> AsyncIterator[Message]:
        while (request := await self._outgoing.get()) is not None:
            yield request
