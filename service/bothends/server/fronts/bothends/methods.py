"""Methods of bothends.v1.EmbeddingService: they parse requests and write answers.

They raise errors, which dispatch.py turns into statuses.
"""

from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, get_args

from ....core.loaded import LoadedModel
from ....core.query import Query
from ....embeddings import Write
from ....options import Encoding
from ....v1 import embedding_pb2
from ....wire.messages import SERVICE, encode, options
from ...context import CallContext
from ...dispatch import protobuf
from ...grpc.calls.rpc_routes import RpcRoutes
from ...grpc.calls.source import Route
from ...grpc.plain_calls import ServedModel
from ...responder import Responder, Responders
from .codec import constant_codec, embed_codec

if TYPE_CHECKING:
    from bothends_native.transport import Codec

_WRITES: dict[Encoding, Write] = {encoding: partial(encode, encoding=encoding) for encoding in get_args(Encoding)}


class EmbeddingService:
    """Unary methods of the service, over all models. Each settles its call, at once or later."""

    def __init__(self, responders: Responders, *, max_message_bytes: int, transport: str) -> None:
        """Answer by `responders`. GetModel tells callers `max_message_bytes`, the largest message that the server
        reads, and the name of the `transport`.
        """
        self._responders = responders
        self._transport = transport
        self._max_message_bytes = max_message_bytes
        self._server_version = version("bothends")

    def routes(self, rpc: RpcRoutes) -> list[Route]:
        """Make the routes of all methods."""
        route, most = partial(rpc.route, SERVICE), self._responders.default.embedder.limits.sentences
        embed = protobuf(embedding_pb2.EmbedRequest, max_sentences=most)
        tokenize = protobuf(embedding_pb2.TokenizeRequest, max_sentences=most)
        describe = protobuf(embedding_pb2.GetModelRequest)
        return [
            route("Embed", embed, self.embed, create_codec=embed_codec),
            route("Tokenize", tokenize, self.tokenize),
            route("GetModel", describe, self.get_model, create_codec=self._model_codec),
        ]

    def _model_codec(self, models: Sequence[ServedModel]) -> "Codec":
        default = self._responders.default
        described = next((one.model for one in models if one.is_default), default.embedder.model)
        return constant_codec(self._described(default, described, default.embedder.limits.sentences))

    def embed(self, request: embedding_pb2.EmbedRequest, context: CallContext) -> None:
        """Embed the request's sentences."""
        wanted = options(request)
        responder = self._responders.find(request.model)
        responder.embed(Query(list(request.sentences), wanted), context, _WRITES[wanted.encoding])

    def tokenize(self, request: embedding_pb2.TokenizeRequest, context: CallContext) -> None:
        """Cut the request's sentences into tokens."""
        texts, asked = list(request.sentences), options(request)
        responder = self._responders.find(request.model)
        responder.charge(texts, context)
        version, found = responder.embedder.tokenise(texts, asked, deadline=context.deadline, is_over=context.is_over)
        response = embedding_pb2.TokenizeResponse(model_version=version)
        for sentence in found:
            added = response.sentences.add(truncated=sentence.truncated)
            for token, text, (start, end) in zip(sentence.ids, sentence.texts, sentence.places, strict=True):
                added.tokens.add(id=token, text=text, start=start, end=end)
        context.send(response.SerializeToString())

    def get_model(self, request: embedding_pb2.GetModelRequest, context: CallContext) -> None:
        """Describe a model, and what this caller may ask of it."""
        responder = self._responders.find(request.model)
        context.send(self._described(responder, responder.embedder.model, responder.max_sentences(context)))

    def _described(self, responder: Responder, served: LoadedModel, max_sentences: int) -> bytes:
        """Return GetModel's response, for a caller who may send `max_sentences` sentences at once."""
        config, limits = served.config, responder.embedder.limits
        model = embedding_pb2.Model(
            name=responder.name,
            version=config.version,
            dimension=config.dimension,
            max_tokens=config.max_tokens,
            max_sentences=max_sentences,
            pooling=config.pooling,
            device=served.device,
            server_version=self._server_version,
            max_sentence_chars=limits.sentence_chars,
            max_message_bytes=self._max_message_bytes,
            nested_dimensions=config.nested_dimensions,
            max_request_tokens=limits.tokens,
            encoder=config.described(),
            cosine_to_final_states=config.cosine_to_final_states,
            engine=served.provider,
            transport=self._transport,
        )
        return embedding_pb2.GetModelResponse(model=model, models=self._responders.names).SerializeToString()
