"""text-embeddings-inference's API over gRPC: parses its messages, and writes its answers.

They raise errors, which dispatch.py turns into statuses.
"""

from functools import partial

from ....core.query import Query
from ....embeddings import Embeddings
from ....errors import RequestError
from ....options import Options, Truncation
from ....tei.v1 import embedding_pb2
from ...context import CallContext
from ...dispatch import protobuf
from ...grpc.calls.rpc_routes import RpcRoutes
from ...grpc.calls.source import Route
from ...model_service import ModelService
from .codec import messages_codec
from .endpoints import described
from .requests import NO_PROMPTS

INFO, EMBED, TOKENIZE = (
    embedding_pb2.DESCRIPTOR.services_by_name[name].full_name for name in ("Info", "Embed", "Tokenize")
)
SERVICES = (INFO, EMBED, TOKENIZE)
_parse_embed, _parse_encode = protobuf(embedding_pb2.EmbedRequest), protobuf(embedding_pb2.EncodeRequest)


class TeiServices:
    """Methods of the API's gRPC services, over one model.

    Each message of a stream is answered like a call of its own.
    """

    def __init__(self, service: ModelService) -> None:
        """Answer by the default model of `service`."""
        self._responder = service.responders.default
        self._settings = service.settings

    def routes(self, rpc: RpcRoutes) -> list[Route]:
        """Make the routes of all methods."""
        plain = partial(rpc.route, EMBED, create_codec=messages_codec)
        return [
            rpc.route(INFO, "Info", protobuf(embedding_pb2.InfoRequest), self.info),
            plain("Embed", _parse_embed, self.embed),
            plain("EmbedStream", _parse_embed, self.embed, is_stream=True),
            rpc.route(TOKENIZE, "Tokenize", _parse_encode, self.tokenize),
            rpc.route(TOKENIZE, "TokenizeStream", _parse_encode, self.tokenize, is_stream=True),
        ]

    def info(self, _: embedding_pb2.InfoRequest, context: CallContext) -> None:
        """Answer with the model, and the limits that apply to this caller."""
        told = described(self._responder, self._settings, context)
        fields = embedding_pb2.InfoResponse.DESCRIPTOR.fields_by_name
        known = {name: value for name, value in told.items() if name in fields and name != "model_type"}
        context.send(embedding_pb2.InfoResponse(**known).SerializeToString())

    def embed(self, request: embedding_pb2.EmbedRequest, context: CallContext) -> None:
        """Embed the request's text."""
        _check_prompt(request)
        query = Query([request.inputs], Options(_truncation(request), normalize=request.normalize))
        self._responder.embed(query, context, partial(_write, len(request.inputs)))

    def tokenize(self, request: embedding_pb2.EncodeRequest, context: CallContext) -> None:
        """Cut the request's text into the tokens that the model reads."""
        _check_prompt(request)
        text = request.inputs
        self._responder.charge([text], context)
        _, (read,) = self._responder.embedder.tokenise(
            [text], Options("start"), deadline=context.deadline, is_over=context.is_over
        )
        response = embedding_pb2.EncodeResponse()
        for token, (start, stop) in zip(read.ids, read.places, strict=True):
            response.tokens.add(id=token, text=text[start:stop], start=start, stop=stop)
        context.send(response.SerializeToString())


def _check_prompt(request: embedding_pb2.EmbedRequest | embedding_pb2.EncodeRequest) -> None:
    if request.prompt_name:
        raise RequestError(NO_PROMPTS, field="prompt_name")


def _truncation(request: embedding_pb2.EmbedRequest) -> Truncation:
    if not request.truncate:
        return "error"
    return "end" if request.truncation_direction == embedding_pb2.TRUNCATION_DIRECTION_LEFT else "start"


def _write(chars: int, found: Embeddings) -> bytes:
    """Write the answer, on the engine's thread."""
    cost = embedding_pb2.Metadata(compute_chars=chars, compute_tokens=found.token_counts[0])
    content: bytes = embedding_pb2.EmbedResponse(embeddings=found.rows[0], metadata=cost).SerializeToString()
    return content
