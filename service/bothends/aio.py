"""Sentences to NumPy rows through servers, for asyncio: a call suspends until it is answered.

All that isn't sending and waiting stands in caller.py. Needs grpcio, protobuf and numpy only.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Self, Unpack

import grpc.aio
from google.protobuf.message import Message
from numpy.typing import NDArray

from .caller import Caller, Method
from .channel import TLS, Endpoint, Target
from .embeddings import Embeddings, rows_or_warning
from .failures import CLOSED
from .options import Asked
from .retry import DEFAULT_RETRY, Retry
from .v1 import embedding_pb2


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
        self._transport = Suspending(endpoint)
        self._caller = Caller(self._transport, name=endpoint.name, retry=retry, timeout_s=timeout_s)

    async def encode(
        self, sentences: Sequence[str] | str, *, timeout_s: float | None = None, **asked: Unpack[Asked]
    ) -> NDArray[Any]:
        """As `Client.encode`."""
        if isinstance(sentences, str):
            row: NDArray[Any] = rows_or_warning(await self.embed([sentences], timeout_s=timeout_s, **asked))[0]
            return row
        return rows_or_warning(await self.embed(sentences, timeout_s=timeout_s, **asked))

    async def embed(
        self, sentences: Sequence[str], *, timeout_s: float | None = None, **asked: Unpack[Asked]
    ) -> Embeddings:
        """As `Client.embed`."""
        return await self._caller.embed(sentences, timeout_s, **asked)

    async def model(self, *, timeout_s: float | None = None) -> embedding_pb2.Model:
        """As `Client.model`."""
        return await self._caller.model(timeout_s)

    async def close(self) -> None:
        """Close the connection."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Suspending:
    """A transport whose awaits suspend the task."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._channel: grpc.aio.Channel | None = None
        self._is_closed = False

    def start(self, method: Method, request: Message, *, timeout_s: float) -> "grpc.aio.UnaryUnaryCall[Any, Any]":
        """Send, and don't wait."""
        if self._is_closed:
            raise ValueError("the client is closed")
        if self._channel is None:  # in the loop that will use it
            self._channel = self._endpoint.aio_channel()
        send: Any = self._channel.unary_unary(method.path, type(request).SerializeToString, method.parse)
        call: grpc.aio.UnaryUnaryCall[Any, Any] = send(request, timeout=timeout_s, metadata=self._endpoint.metadata)
        return call

    async def response(self, call: "grpc.aio.UnaryUnaryCall[Any, Any]") -> Any:
        """Wait for the answer."""
        try:
            return await call
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
