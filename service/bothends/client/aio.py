"""Client for programs on asyncio: each call is awaited until its NumPy rows have arrived.

It only sends and waits; planning, retries and decoding are in core.py. Needs grpcio, protobuf and numpy only.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Sequence
from typing import Any, Self, TypeVar, Unpack

import grpc.aio
from google.protobuf.message import Message
from numpy.typing import NDArray

from ..embeddings import Compared, Embedding, Embeddings, rows_or_warning
from ..errors import SentenceError
from ..options import EmbedOptions, EncodeOptions, as_asked, ours
from ..v1 import embedding_pb2
from .channel import TLS, Endpoint, Target
from .core import ClientCore
from .errors import CLOSED
from .retry import DEFAULT_RETRY, Retry
from .stream import ResumingStream
from .sync import rows_of, serialized
from .transport import Method

T = TypeVar("T")


class AsyncClient(Compared):
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
        model: str | None = None,
    ) -> None:
        """Take the arguments of `Client`. May be made before there is a loop."""
        endpoint = Endpoint.of(target, tls=tls, api_key=api_key, watch_health=watch_health)
        self.target = endpoint.name
        self.timeout_s = timeout_s
        self._transports = [AsyncTransport(one) for one in endpoint.each()]
        self._core = ClientCore(self._transports, name=endpoint.name, retry=retry, timeout_s=timeout_s, model=model)

    async def encode(
        self, sentences: Sequence[str] | str, *, timeout_s: float | None = None, **options: Unpack[EncodeOptions]
    ) -> NDArray[Any]:
        """Return the rows of `sentences`, as `Client.encode` does."""
        if isinstance(sentences, str):
            found = await self.embed([sentences], timeout_s=timeout_s, **ours(options))
            return as_asked(rows_or_warning(found)[0], options)
        if not len(sentences):
            return as_asked(await self._core.no_rows(timeout_s, **ours(options)), options)
        return as_asked(rows_or_warning(await self.embed(sentences, timeout_s=timeout_s, **ours(options))), options)

    encode_query = encode_document = encode
    """The same, by sentence-transformers' names."""

    async def get_sentence_embedding_dimension(self) -> int:
        """Return the model's dimension as `Client` does."""
        return (await self.model()).dimension

    get_embedding_dimension = get_sentence_embedding_dimension
    """The same, by its newer name there."""

    async def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        """Embed `texts` as `Client.embed_documents` does."""
        found: list[list[float]] = (await self.encode(list(texts), normalize=True)).tolist()
        return found

    async def embed_query(self, text: str) -> list[float]:
        """Embed one text like `embed_documents`."""
        return (await self.embed_documents([text]))[0]

    async def embed(
        self, sentences: Sequence[str], *, timeout_s: float | None = None, **options: Unpack[EmbedOptions]
    ) -> Embeddings:
        """Embed `sentences`; see `Client.embed`."""
        return await self._core.embed(sentences, timeout_s, **options)

    def encode_stream(
        self,
        sentences: Iterable[str] | AsyncIterable[str],
        *,
        timeout_s: float | None = None,
        **options: Unpack[EmbedOptions],
    ) -> AsyncIterator[NDArray[Any] | SentenceError]:
        """Yield rows like `Client.encode_stream`. Close it if you stop early, for example by `contextlib.aclosing`."""
        return rows_of(ResumingStream(self._core, sentences, timeout_s, **options).results())

    def embed_stream(
        self,
        sentences: Iterable[str] | AsyncIterable[str],
        *,
        timeout_s: float | None = None,
        **options: Unpack[EmbedOptions],
    ) -> AsyncIterator[Embedding | SentenceError]:
        """Yield embeddings like `Client.embed_stream`."""
        return ResumingStream(self._core, sentences, timeout_s, **options).results()

    async def model(self, *, timeout_s: float | None = None) -> embedding_pb2.Model:
        """Ask the server about its model; see `Client.model`."""
        return await self._core.model(timeout_s)

    async def close(self) -> None:
        """Close the connection."""
        for transport in self._transports:
            await transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncTransport:
    """Sender of calls to one server on asyncio: waiting for an answer suspends the calling task, not the thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._channel: grpc.aio.Channel | None = None
        self._is_closed = False

    def start(self, method: Method, request: Message, *, timeout_s: float) -> "grpc.aio.UnaryUnaryCall[Any, Any]":
        """Send `request` without waiting for the answer."""
        send: Any = self._open().unary_unary(method.path, type(request).SerializeToString, method.parse)
        call: grpc.aio.UnaryUnaryCall[Any, Any] = send(request, timeout=timeout_s, metadata=self._endpoint.metadata)
        return call

    async def response(self, call: "grpc.aio.UnaryUnaryCall[Any, Any]") -> Any:
        """Wait for the answer to `call`."""
        return await self.answer_or_closed(call)

    def open_stream(self, method: Method, *, timeout_s: float) -> "_StreamCall":
        """Start a call of many messages."""
        return _StreamCall(self, self._open(), method, timeout=timeout_s, metadata=self._endpoint.metadata)

    async def answer_or_closed(self, answer: Awaitable[T]) -> T:
        """Wait for `answer`. Raises AioRpcError if this client is closed in the meantime."""
        try:
            return await answer
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._is_closed or (task is not None and task.cancelling()):
                raise
            # grpc.aio would cancel the task that waits; a call that blocks gets an error, and so does this one.
            nothing = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(grpc.StatusCode.CANCELLED, nothing, nothing, CLOSED) from None

    async def sleep(self, seconds: float) -> None:
        """Sleep, and let other tasks run."""
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        """Close the channel, and end the calls in progress with an error that says so."""
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
    """A call of many messages, which a task of gRPC's takes from a queue and sends."""

    def __init__(self, transport: AsyncTransport, channel: grpc.aio.Channel, method: Method, **options: Any) -> None:
        self._transport = transport
        self._outgoing: asyncio.Queue[Message | None] = asyncio.Queue()
        begin: Any = channel.stream_stream(method.path, serialized, method.parse)
        self._call = begin(self._requests(), **options)

    def send(self, request: Message | None) -> None:
        """Send `request` when the server is ready to read it; None ends the requests."""
        self._outgoing.put_nowait(request)

    async def receive(self) -> Any | None:
        """Wait for the next answer; None after the last one."""
        answer = await self._transport.answer_or_closed(self._call.read())
        return None if answer is grpc.aio.EOF else answer

    def cancel(self) -> None:
        """Cancel the call, and end gRPC's task, which would outlive a call that has ended."""
        self._call.cancel()
        self._outgoing.put_nowait(None)

    async def _requests(self) -> AsyncIterator[Message]:
        while (request := await self._outgoing.get()) is not None:
            yield request
