"""Plain gRPC servers that speak our contract as a test has them: answers that no server of ours gives at will."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from bothends.embeddings import Embeddings
from bothends.errors import BothendsError
from bothends.v1 import embedding_pb2
from bothends.wire.messages import SERVICE, encode, encode_items, items
from bothends.wire.status import to_status

from .until import TIMEOUT_S

Embed = Callable[[embedding_pb2.EmbedRequest, grpc.ServicerContext], bytes]
EmbedStream = Callable[[Iterator[embedding_pb2.EmbedStreamRequest], grpc.ServicerContext], Iterator[bytes]]


def answer(request: embedding_pb2.EmbedRequest, *, version: str = "1") -> bytes:
    """Make two numbers a sentence: its length, and 0."""
    rows = np.array([[len(sentence), 0] for sentence in request.sentences], np.float32)
    return encode(Embeddings(rows, [1] * len(rows), [False] * len(rows), version))


def answer_item(request: embedding_pb2.EmbedStreamRequest, *, version: str = "1") -> bytes:
    """Make the same, in a stream."""
    rows = np.array([[len(sentence), 0] for sentence in request.sentences], np.float32)
    found = Embeddings(rows, [1] * len(rows), [False] * len(rows), version)
    return encode_items(items(found, "float32"), version)


def echo(requests: Iterator[embedding_pb2.EmbedStreamRequest], _: grpc.ServicerContext) -> Iterator[bytes]:
    """Answer each request."""
    return map(answer_item, requests)


def refuse(context: grpc.ServicerContext, error: BothendsError) -> None:
    """Abort as a bothends server does."""
    status = to_status(error)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    context.abort(code, status.message)


MODEL = embedding_pb2.Model(max_sentences=2, max_message_bytes=1 << 20)


class Plain:
    """A running server: its port, and its health."""

    def __init__(
        self,
        embed: Embed,
        stream: EmbedStream,
        credentials: grpc.ServerCredentials | None,
        address: str,
        model: embedding_pb2.Model,
    ) -> None:
        self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Embed": grpc.unary_unary_rpc_method_handler(embed, embedding_pb2.EmbedRequest.FromString),
            "EmbedStream": grpc.stream_stream_rpc_method_handler(stream, embedding_pb2.EmbedStreamRequest.FromString),
            "GetModel": grpc.unary_unary_rpc_method_handler(
                lambda *_: embedding_pb2.GetModelResponse(model=model),
                embedding_pb2.GetModelRequest.FromString,
                embedding_pb2.GetModelResponse.SerializeToString,
            ),
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self.say_serving(True)
        bind = self._server.add_insecure_port
        self.port = self._server.add_secure_port(address, credentials) if credentials else bind(address)
        self._server.start()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def say_serving(self, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse
        for service in ("", SERVICE):
            self._health.set(service, status.SERVING if serving else status.NOT_SERVING)

    def stop(self) -> None:
        """Stop once the last call has ended: to cancel calls, gRPC breaks connections, and their clients log it."""
        self._server.stop(TIMEOUT_S).wait()


@contextmanager
def serving(
    embed: Embed = lambda request, _: answer(request),
    *,
    stream: EmbedStream = echo,
    credentials: grpc.ServerCredentials | None = None,
    address: str = "127.0.0.1:0",
    model: embedding_pb2.Model = MODEL,
) -> Iterator[Plain]:
    """Run a server for the length of a `with`."""
    server = Plain(embed, stream, credentials, address, model)
    yield server
    server.stop()
