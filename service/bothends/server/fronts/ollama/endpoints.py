"""Ollama's HTTP API for a model that embeds: reads its JSON, and writes its answers and errors."""

import time
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import orjson
from google.rpc import status_pb2
from starlette.routing import BaseRoute

from ....core.query import Query
from ....embeddings import Embeddings
from ....model.bundle import BundleConfig
from ....options import Options
from ...context import CallContext
from ...dispatch import FAR
from ...http.failure import Blame
from ...http.formats import tell_truncated
from ...http.json_requests import RequestT, parse
from ...http.routes import HttpRoutes
from ...http.values import check_values
from ...model_service import ModelService
from ...responder import ModelNames, Responder
from .requests import EmbeddingsRequest, OllamaEmbedRequest, ShowRequest

_TAG = ":latest"
"""Ending of Ollama's model names that name no other version."""
_EPOCH = "1970-01-01T00:00:00Z"
_OTHERS = 64
"""Number of JSON values that a request may hold in `options`, in addition to its texts."""
EMBED, EMBEDDINGS = "/api/embed", "/api/embeddings"
"""Paths of requests for embeddings; the latter is the API's older way, of one text."""
_EVERYTHING_ELSE = "/api/{rest:path}"
_NOT_OFFERED = (
    "this server embeds and does nothing else of Ollama's; there are POST /api/embed, /api/embeddings and /api/show, "
    "GET /api/tags, /api/ps and /api/version"
)


class Ollama:
    """Endpoints of Ollama's API, over all models."""

    def __init__(self, service: ModelService) -> None:
        """Answer by all models of `service`."""
        self._names = ModelNames(service.responders, service.settings.model_aliases)
        self._truncation = service.settings.truncation("start")
        self._max_sentences = service.responders.default.embedder.limits.sentences

    def routes(self, http: HttpRoutes) -> list[BaseRoute]:
        """Make the routes of all endpoints. Ollama reads JSON of any content-type, and its documents send it so."""
        return [
            http.posts("/api/embed", self.embed),
            http.posts("/api/embeddings", self.embeddings),
            http.posts("/api/show", self.show),
            http.gets("/api/tags", self.tags),
            http.gets("/api/ps", self.tags),
            http.gets("/api/version", self.version),
            http.refuses(_EVERYTHING_ELSE, 404, _NOT_OFFERED),
        ]

    def embed(self, content: bytes, context: CallContext) -> None:
        """Embed the request's texts."""
        request = self._parsed(content, OllamaEmbedRequest)
        responder = self._find(request.model)
        name = request.model or responder.name
        texts = [] if request.input in ([""], []) else request.input
        options = request.as_options(truncation=request.kept(self._truncation), normalize=True)
        if not texts:  # by which Ollama's clients have a model loaded
            context.send(_written(name, context, [], 0))
            return
        responder.embed(Query(texts, options), context, partial(_write, name, context))

    def embeddings(self, content: bytes, context: CallContext) -> None:
        """Embed the one text of the request."""
        request = self._parsed(content, EmbeddingsRequest)
        responder = self._find(request.model)
        if not request.prompt:
            context.send(orjson.dumps({"embedding": []}))
            return
        responder.embed(Query([request.prompt], Options(self._truncation)), context, partial(_write_one, context))

    def tags(self, _: bytes, context: CallContext) -> None:
        """List the models that are served, under each of their names."""
        models = [_listed(name, self._names.find(name).embedder.model.config) for name in self._names.all()]
        context.send(orjson.dumps({"models": models}))

    def show(self, content: bytes, context: CallContext) -> None:
        """Describe a model that is served."""
        request = self._parsed(content, ShowRequest)
        config = self._find(request.model or request.name).embedder.model.config
        info = {
            "general.architecture": config.cell,
            "general.basename": config.name,
            "general.version": config.version,
            f"{config.cell}.context_length": config.max_tokens,
            f"{config.cell}.embedding_length": config.dimension,
            f"{config.cell}.block_count": config.layers,
            f"{config.cell}.vocab_size": config.vocabulary_size,
        }
        described = {
            "modelfile": "",
            "template": "",
            "modified_at": _EPOCH,
            "details": _details(config),
            "model_info": info,
            "capabilities": ["embedding"],
        }
        context.send(orjson.dumps(described))

    def version(self, _: bytes, context: CallContext) -> None:
        """Answer with the server's version."""
        context.send(orjson.dumps({"version": version("bothends")}))

    def _find(self, asked: str | None) -> Responder:
        """Return the responder of the model that is asked for. Raises UnknownModelError."""
        return self._names.find(None if asked is None else asked.removesuffix(_TAG))

    def _parsed(self, content: bytes, kind: type[RequestT]) -> RequestT:
        check_values(content, max_values=FAR * self._max_sentences + _OTHERS, max_lists=_OTHERS)
        return parse(content, kind)


def _tagged(name: str) -> str:
    return name if ":" in name else name + _TAG


def _listed(name: str, config: BundleConfig) -> dict[str, Any]:
    return {
        "name": _tagged(name),
        "model": _tagged(name),
        "modified_at": _EPOCH,
        "size": 0,
        "digest": config.sha256.get("model.onnx", ""),
        "details": _details(config),
    }


def _details(config: BundleConfig) -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "onnx",
        "family": config.cell,
        "families": [config.cell],
        "parameter_size": "",
        "quantization_level": "F32",
    }


def _write(name: str, context: CallContext, found: Embeddings) -> bytes:
    """Write JSON, on the engine's thread."""
    tell_truncated(context, found.truncated)
    return _written(name, context, np.ascontiguousarray(found.rows), sum(found.token_counts))


def _write_one(context: CallContext, found: Embeddings) -> bytes:
    tell_truncated(context, found.truncated)
    return orjson.dumps({"embedding": np.ascontiguousarray(found.rows[0])}, option=orjson.OPT_SERIALIZE_NUMPY)


def _written(name: str, context: CallContext, rows: Any, tokens: int) -> bytes:
    response = {
        "model": name,
        "embeddings": rows,
        "total_duration": int((time.monotonic() - context.arrived) * 1e9),
        "load_duration": 0,
        "prompt_eval_count": tokens,
    }
    return orjson.dumps(response, option=orjson.OPT_SERIALIZE_NUMPY)


def render_error(_: int, status: status_pb2.Status) -> bytes:
    """Write an error as JSON that Ollama's clients understand."""
    return orjson.dumps({"error": Blame.of(status, sentences="input").message})
