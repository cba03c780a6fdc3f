"""OpenAI's embeddings API over HTTP: reads its JSON, and writes answers and errors as it has them."""

import base64
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self

import numpy as np
import orjson
from google.rpc import error_details_pb2, status_pb2
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ....core.query import Query
from ....embeddings import Embeddings
from ....errors import UnknownModelError
from ....observe.tracing import Method
from ....options import Options, Truncation
from ....settings import HttpSettings
from ....text import printable
from ....wire.status import unpacked
from ...context import CallContext
from ...dispatch import Dispatcher
from ...http.call import BodyLimits
from ...http.failure import JSON
from ...http.routes import HttpRoutes
from ...http.values import check_values
from ...responder import Responder
from .document import document
from .requests import parse

_TYPES: dict[int, str] = {401: "authentication_error", 429: "rate_limit_error"}
"""The kind of error that OpenAI's API has for an HTTP status; invalid_request_error for others below 500."""
_CODES: Mapping[str, str] = {
    "LONG_SENTENCE": "context_length_exceeded",
    "UNKNOWN_MODEL": "model_not_found",
    "UNAUTHENTICATED": "invalid_api_key",
    "QUOTA": "rate_limit_exceeded",
    "OVERLOADED": "server_overloaded",
    "DRAINING": "server_stopping",
    "NOT_SERVING": "model_not_ready",
    "DEADLINE": "deadline_exceeded",
}
"""Error codes of OpenAI's, or like them, for our reasons."""
_TRUNCATED = "x-truncated-inputs"
"""Header of an answer: how many of its inputs were cut."""
_INSTEAD = '; "truncation": "start" or "end" keeps that part of it, as the server\'s --http-truncation does for all'
_SHOWN_CHARS = 64
_FAR = 2
"""Multiple of what a request may hold from which on it is refused unparsed: of less it is told how much it is."""
EMBEDDINGS = "/v1/embeddings"
_EVERYTHING_ELSE = "/v1/{rest:path}"
NO_SUCH_PATH = "there is no such path; see /openapi.json"


class OpenAI:
    """The API's endpoints over one embedder."""

    def __init__(
        self, responder: Responder, limits: BodyLimits, *, truncation: Truncation = "error", aliases: Sequence[str] = ()
    ) -> None:
        """Answer from `responder`; `truncation` is for requests that ask for none, `aliases` are more of its names."""
        self._responder = responder
        self._truncation = truncation
        self._aliases = aliases
        self._routes = HttpRoutes(limits, render_error)
        self._document = orjson.dumps(document())

    @classmethod
    def of(cls, responder: Responder, settings: HttpSettings, limits: BodyLimits | None = None) -> Self:
        """Answer as `settings` say."""
        limits, aliases = limits or BodyLimits.of(settings), settings.model_aliases
        return cls(responder, limits, truncation=settings.http_truncation, aliases=aliases)

    def routes(self, dispatcher: Dispatcher, *, behind: Dispatcher | None = None) -> list[BaseRoute]:
        """Make the routes of all endpoints. `behind` is for calls that a transport has let in already."""
        handler, route = dispatcher.handler, self._routes.route
        embed = (Method.http("POST", EMBEDDINGS), bytes, self.embed)
        admitted = {} if behind is None else {"POST": behind.handler(*embed)}
        return [
            route(EMBEDDINGS, POST=handler(*embed), admitted=admitted),
            route("/v1/models", GET=handler(Method.http("GET", "/v1/models"), bytes, self.models)),
            route("/v1/models/{id:path}", GET=handler(Method.http("GET", "/v1/models/{id}"), bytes, self.one_model)),
            self._routes.refuses(_EVERYTHING_ELSE, 404, NO_SUCH_PATH),
            Route("/openapi.json", self.openapi),
        ]

    def embed(self, content: bytes, context: CallContext) -> None:
        """Embed the request's inputs."""
        limits = self._responder.embedder.limits
        check_values(content, most=_FAR * max(limits.tokens, limits.sentences), most_lists=_FAR * limits.sentences)
        request = parse(content)
        name = self._must_serve(request.model)
        options = Options(request.truncation or self._truncation, normalize=True, dimensions=request.dimensions)
        written = partial(_say_and_write, context, name, request.encoding_format or "float")
        self._responder.embed(Query(request.input, options), context, written)

    def models(self, _: bytes, context: CallContext) -> None:
        """List the model that is served, under each of its names."""
        names = [self._responder.embedder.model.config.name, *self._aliases]
        context.send(orjson.dumps({"object": "list", "data": [self._described(name, context) for name in names]}))

    def one_model(self, name: bytes, context: CallContext) -> None:
        """Describe the model that is served, asked for by one of its names."""
        asked = name.decode()
        self._must_serve(asked)
        context.send(orjson.dumps(self._described(asked, context)))

    async def openapi(self, _: Request) -> Response:
        """Answer with the contract, which needs no key, as gRPC's reflection needs none."""
        return Response(self._document, media_type=JSON)

    def _must_serve(self, name: str) -> str:
        """Return the served model's own name. Raises UnknownModelError where `name` is none of its names."""
        served = self._responder.embedder.model.config.name
        if name != served and name not in self._aliases:
            asked = printable(name)[:_SHOWN_CHARS]
            raise UnknownModelError(f"the model {asked!r} does not exist here; {served!r} is served")
        return served

    def _described(self, name: str, context: CallContext) -> dict[str, Any]:
        config = self._responder.embedder.model.config
        return {
            "id": name,
            "object": "model",
            "created": 0,
            "owned_by": "bothends",
            "version": config.version,
            "dimensions": list(config.sizes),
            "max_tokens": config.max_tokens,
            "max_inputs": self._responder.most_sentences(context),
        }


def shut(why: str) -> list[BaseRoute]:
    """Make the routes of a server that doesn't offer the API: they answer why."""
    return [HttpRoutes(BodyLimits(0, 0), render_error).refuses(_EVERYTHING_ELSE, 403, why)]


def render_error(code: int, status: status_pb2.Status) -> bytes:
    """Write an error as OpenAI's clients read it."""
    info = unpacked(status, error_details_pb2.ErrorInfo())
    bad = unpacked(status, error_details_pb2.BadRequest())
    field = bad.field_violations[0].field if bad and bad.field_violations else ""
    message = status.message
    if field.startswith("sentences"):  # which they know as `input`
        field = field.replace("sentences", "input", 1)
        message = message.replace("sentences[", "input[", 1) if message.startswith("sentences[") else message
    reason = info.reason if info else ""
    if reason == "LONG_SENTENCE":
        message += _INSTEAD
    kind = "server_error" if code >= 500 else _TYPES.get(code, "invalid_request_error")
    error = {
        "message": message,
        "type": kind,
        "param": None if field in ("", "request") else field,
        "code": _CODES.get(reason),
    }
    return orjson.dumps({"error": error})


def _say_and_write(context: CallContext, model: str, encoding: str, found: Embeddings) -> bytes:
    if cut := sum(found.truncated):
        context.add_header(_TRUNCATED, str(cut))
    return write(model, encoding, found)


def write(model: str, encoding: str, found: Embeddings) -> bytes:
    """Write JSON, on the engine's thread: each float32 as short as it can be and still be read as the same number."""
    rows = np.ascontiguousarray(found.rows)
    vectors = rows if encoding == "float" else [base64.b64encode(row).decode() for row in rows.astype("<f4")]
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    tokens = sum(found.token_counts)
    response = {
        "object": "list",
        "data": data,
        "model": model,
        "model_version": found.model_version,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return orjson.dumps(response, option=orjson.OPT_SERIALIZE_NUMPY)
