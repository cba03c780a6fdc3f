"""OpenAI's embeddings API over HTTP: reads its JSON, and writes its answers and errors."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import orjson
from google.rpc import status_pb2
from starlette.routing import BaseRoute

from ....core.query import Query
from ....embeddings import Embeddings
from ...context import CallContext
from ...dispatch import FAR
from ...http.failure import Blame
from ...http.formats import Format, in_base64, tell_truncated
from ...http.json_requests import parse
from ...http.routes import HttpRoutes
from ...http.values import check_values
from ...model_service import ModelService
from ...responder import ModelNames, Responder
from .document import EMBEDDINGS
from .requests import EmbeddingRequest

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
_INSTEAD = (
    '; "truncation": "start" or "end" keeps that part of it, "pieces" all of it, '
    "as the server's --http-truncation does for all"
)
_NO_V1 = ("/models", "/models/{rest:path}")
_WITH_V1 = "the base URL of OpenAI's clients ends with /v1: what you want is GET /v1/models"


class OpenAI:
    """Endpoints of OpenAI's API, over all models."""

    def __init__(self, service: ModelService) -> None:
        """Answer by all models of `service`."""
        self._responders = service.responders
        self._truncation = service.settings.truncation("error")
        self._names = ModelNames(service.responders, service.settings.model_aliases)

    def routes(self, http: HttpRoutes) -> list[BaseRoute]:
        """Make the routes of all endpoints, and helpful errors for callers whose base URL lacks /v1."""
        return [
            *(http.posts(path, self.embed) for path in EMBEDDINGS),
            http.gets("/v1/models", self.models),
            http.gets("/v1/models/{id:path}", self.one_model, name="/v1/models/{id}"),
            *(http.refuses(path, 404, _WITH_V1) for path in _NO_V1),
        ]

    def embed(self, content: bytes, context: CallContext) -> None:
        """Embed the request's inputs."""
        limits = self._responders.default.embedder.limits
        check_values(content, max_values=FAR * max(limits.tokens, limits.sentences), max_lists=FAR * limits.sentences)
        request = parse(content, EmbeddingRequest)
        responder = self._names.find(request.model)
        options = request.as_options(truncation=request.truncation or self._truncation, normalize=True)
        written = partial(_say_and_write, context, responder.name, request.encoding_format or "float")
        responder.embed(Query(request.input, options), context, written)

    def models(self, _: bytes, context: CallContext) -> None:
        """List the models that are served, under each of their names."""
        found = [_described(name, self._names.find(name), context) for name in self._names.all()]
        context.send(orjson.dumps({"object": "list", "data": found}))

    def one_model(self, name: bytes, context: CallContext) -> None:
        """Describe one served model; `name` is any of its names."""
        asked = name.decode()
        context.send(orjson.dumps(_described(asked, self._names.find(asked), context)))


def _described(name: str, responder: Responder, context: CallContext) -> dict[str, Any]:
    config = responder.embedder.model.config
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "bothends",
        "version": config.version,
        "dimensions": list(config.sizes),
        "max_tokens": config.max_tokens,
        "max_inputs": responder.max_sentences(context),
    }


def render_error(code: int, status: status_pb2.Status) -> bytes:
    """Write an error as JSON that OpenAI's clients understand."""
    message, field, reason = Blame.of(status, sentences="input")
    if reason == "LONG_SENTENCE":
        message += _INSTEAD
    kind = "server_error" if code >= 500 else _TYPES.get(code, "invalid_request_error")
    error = {
        "message": message,
        "type": kind,
        "param": field or None,
        "code": _CODES.get(reason),
    }
    return orjson.dumps({"error": error})


def _say_and_write(context: CallContext, model: str, written_as: Format, found: Embeddings) -> bytes:
    tell_truncated(context, found.truncated)
    return write(model, written_as, found)


def write(model: str, written_as: Format, found: Embeddings) -> bytes:
    """Return the response to a request for embeddings as JSON. It is called in the engine's thread.

    `model` is the name to show. Each number of the format float has the fewest digits that read back as the same
    float32.
    """
    rows = np.ascontiguousarray(found.rows)
    vectors, scales = (rows, None) if written_as == "float" else in_base64(rows, written_as)
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    if scales is not None:
        data = [{**each, "scale": scale} for each, scale in zip(data, scales, strict=True)]
    tokens = sum(found.token_counts)
    response = {
        "object": "list",
        "data": data,
        "model": model,
        "model_version": found.model_version,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return orjson.dumps(response, option=orjson.OPT_SERIALIZE_NUMPY)
