"""Proto in, embedder, proto out. Raises domain errors only; interceptors.py makes statuses of them."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from typing import Any

import grpc.aio

from .embedder import Embedder, Pending
from .errors import DeadlineError
from .metrics import Metrics
from .v1 import embedding_pb2, embedding_pb2_grpc
from .wire import encode

Context = grpc.aio.ServicerContext[Any, Any]
_LONG_BYTES = 4096
"""A request of more is tokenised in a thread: the event loop is everybody's."""
_TOKENISERS = ThreadPoolExecutor(2, "bothends-tokenise")


class EmbeddingServicer(embedding_pb2_grpc.EmbeddingServiceServicer):
    """bothends.v1.EmbeddingService over one embedder."""

    def __init__(self, embedder: Embedder, metrics: Metrics, *, max_message_bytes: int) -> None:
        self._embedder = embedder
        self._metrics = metrics
        self._max_message_bytes = max_message_bytes
        self._server_version = version("bothends")

    async def Embed(  # noqa: N802  gRPC names methods as the contract does
        self, request: embedding_pb2.EmbedRequest, context: Context
    ) -> bytes:
        """Embed the request's sentences within the call's deadline; the answer is serialised already.

        A caller that leaves cancels this coroutine, and with it the future that it awaits.
        """
        remaining = context.time_remaining()
        deadline = None if remaining is None else time.monotonic() + remaining
        begin = partial(self._embedder.begin, request.sentences, deadline=deadline)
        pending = await _in_thread(begin) if request.ByteSize() > _LONG_BYTES else begin()
        try:
            rows = await asyncio.wait_for(asyncio.wrap_future(pending.rows), remaining)
        except TimeoutError:
            raise DeadlineError("the deadline passed before the embeddings were ready") from None
        found = self._embedder.finish(pending, rows)
        with self._metrics.phase("serialise"):
            return encode(found)

    async def GetModel(  # noqa: N802  gRPC names methods as the contract does
        self,
        request: embedding_pb2.GetModelRequest,  # noqa: ARG002  gRPC passes it by position
        context: Context,  # noqa: ARG002
    ) -> embedding_pb2.GetModelResponse:
        """Describe the model."""
        config = self._embedder.config
        model = embedding_pb2.Model(
            name=config.name,
            version=config.version,
            dimension=config.dimension,
            max_tokens=config.max_tokens,
            max_sentences=self._embedder.max_sentences,
            pooling=config.pooling,
            device=self._embedder.device,
            server_version=self._server_version,
            max_sentence_chars=self._embedder.max_sentence_chars,
            max_message_bytes=self._max_message_bytes,
        )
        return embedding_pb2.GetModelResponse(model=model)


async def _in_thread(begin: Callable[[], Pending]) -> Pending:
    """Run `begin` in a thread. Where the caller leaves meanwhile, what it queues is taken out again."""
    begun = _TOKENISERS.submit(begin)
    try:
        return await asyncio.wrap_future(begun)
    except asyncio.CancelledError:
        begun.add_done_callback(_take_out)
        raise


def _take_out(begun: Future[Pending]) -> None:
    if not begun.cancelled() and begun.exception() is None:
        begun.result().rows.cancel()
