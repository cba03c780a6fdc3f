"""Proto in, embedder, proto out. Raises domain errors only; interceptors.py makes statuses of them."""

from importlib.metadata import version

import grpc

from .embedder import Embedder
from .errors import CancelledError
from .metrics import Metrics
from .v1 import embedding_pb2, embedding_pb2_grpc
from .wire import encode


class EmbeddingServicer(embedding_pb2_grpc.EmbeddingServiceServicer):
    """bothends.v1.EmbeddingService over one embedder."""

    def __init__(self, embedder: Embedder, metrics: Metrics, *, max_message_bytes: int) -> None:
        self._embedder = embedder
        self._metrics = metrics
        self._max_message_bytes = max_message_bytes
        self._server_version = version("bothends")

    def Embed(  # noqa: N802  gRPC names methods as the contract does
        self, request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext
    ) -> bytes:
        """Embed the request's sentences within the call's deadline; the answer is serialised already."""
        found = self._embedder.embed(
            request.sentences, timeout_s=context.time_remaining(), on_abandon=context.add_callback
        )
        if not context.is_active():
            raise CancelledError("the caller went away")
        with self._metrics.phase("serialise"):
            return encode(found)

    def GetModel(  # noqa: N802  gRPC names methods as the contract does
        self,
        request: embedding_pb2.GetModelRequest,  # noqa: ARG002  gRPC passes it by position
        context: grpc.ServicerContext,  # noqa: ARG002
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
