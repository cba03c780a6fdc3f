"""bothends.v1.EmbeddingService: its messages in and out. Raises domain errors; dispatch.py makes statuses of them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version

from ....core.embedder import Query
from ....observe.tracing import Method
from ....options import Options
from ....v1 import embedding_pb2
from ....wire.messages import SERVICE, encode, options, truncation
from ...context import CallContext
from ...dispatch import Dispatcher, protobuf
from ...inbound import Inbound, Received
from ...responder import Asked, Responder


class EmbeddingService:
    """The unary methods over one embedder. Each settles its call, now or later."""

    def __init__(self, responder: Responder, *, max_message_bytes: int, front: str) -> None:
        """Answer by `responder`. The other two are told to callers who ask."""
        self._responder = responder
        self._front = front
        self._max_message_bytes = max_message_bytes
        self._server_version = version("bothends")

    def methods(self, dispatcher: Dispatcher) -> Mapping[str, Callable[[Inbound], None]]:
        """Make the handlers of all methods, by their full names."""
        return dispatcher.rpc_handlers(
            SERVICE,
            {
                "Embed": (embedding_pb2.EmbedRequest, self.embed),
                "Tokenize": (embedding_pb2.TokenizeRequest, self.tokenize),
                "GetModel": (embedding_pb2.GetModelRequest, self.get_model),
            },
        )

    def batch_methods(self, dispatcher: Dispatcher) -> Mapping[str, Callable[[Sequence[Received]], None]]:
        """Make the handlers of calls that came together, by their methods' full names."""
        method, parse = Method.rpc(SERVICE, "Embed"), protobuf(embedding_pb2.EmbedRequest)
        return {f"/{SERVICE}/Embed": dispatcher.batch_handler(method, parse, _asked, self._responder.embed_all)}

    def embed(self, request: embedding_pb2.EmbedRequest, context: CallContext) -> None:
        """Embed the request's sentences."""
        self._responder.embed(*_asked(request, context))

    def tokenize(self, request: embedding_pb2.TokenizeRequest, context: CallContext) -> None:
        """Cut the request's sentences into tokens."""
        texts, asked = list(request.sentences), Options(truncation(request))
        self._responder.charge(len(texts), context)
        self._responder.submit(partial(self._tokenize, texts, asked, context), texts)

    def get_model(
        self,
        request: embedding_pb2.GetModelRequest,  # noqa: ARG002  it has no fields yet
        context: CallContext,
    ) -> None:
        """Describe the model, and what this caller may ask of it."""
        embedder = self._responder.embedder
        served = embedder.model
        config = served.config
        model = embedding_pb2.Model(
            name=config.name,
            version=config.version,
            dimension=config.dimension,
            max_tokens=config.max_tokens,
            max_sentences=self._responder.most_sentences(context),
            pooling=config.pooling,
            device=served.device,
            server_version=self._server_version,
            max_sentence_chars=embedder.limits.sentence_chars,
            max_message_bytes=self._max_message_bytes,
            nested_dimensions=config.nested_dimensions,
            max_request_tokens=embedder.limits.tokens,
            encoder=config.described(),
            cosine_to_final_states=config.cosine_to_final_states,
            engine=served.provider,
            front=self._front,
        )
        context.send(embedding_pb2.GetModelResponse(model=model).SerializeToString())

    def _tokenize(self, texts: list[str], asked: Options, context: CallContext) -> None:
        with context.guarding():
            version, found = self._responder.embedder.tokenise(texts, asked, deadline=context.deadline)
            response = embedding_pb2.TokenizeResponse(model_version=version)
            for sentence in found:
                added = response.sentences.add(truncated=sentence.truncated)
                for token, text, (start, end) in zip(sentence.ids, sentence.texts, sentence.places, strict=True):
                    added.tokens.add(id=token, text=text, start=start, end=end)
            context.send(response.SerializeToString())


def _asked(request: embedding_pb2.EmbedRequest, context: CallContext) -> Asked:
    wanted, encoding = options(request)
    return Query(list(request.sentences), wanted), context, partial(encode, encoding=encoding)
