"""text-embeddings-inference's API over HTTP: reads its JSON, and writes its answers and errors."""

from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import orjson
from starlette.routing import BaseRoute

from ....core.batch_sizes import batching
from ....core.query import Query
from ....embeddings import Embeddings
from ....errors import LongSentenceError, RequestError, SentenceError
from ....options import Options
from ....settings import Settings
from ...context import CallContext
from ...dispatch import FAR
from ...http.formats import Format, in_base64, tell_truncated
from ...http.json_requests import RequestT, as_request, read_object
from ...http.routes import HttpRoutes
from ...http.values import check_values
from ...model_service import ModelService
from ...responder import Responder
from .document import BASE, EMBED
from .errors import render_error
from .requests import Compared, DecodeRequest, Parameters, SimilarityRequest, TeiEmbedRequest, TokenizeRequest

_COMPARED = "inputs.sentences"
_COMPARISON = tuple(Compared.model_fields)
"""Fields of a comparison, which stand in `inputs`, or as Hugging Face's own servers took them, in the request."""
_NO_SCALE = (
    "encoding_format: int8 of vectors of other lengths than 1 needs their scales, which this API has no place for; "
    'leave out "normalize": false'
)
_NOT_OFFERED = {
    "/rerank": "this model is no re-ranker: it embeds sentences; POST /similarity compares them",
    "/predict": "this model is no classifier: it embeds sentences; POST /embed does so",
    "/embed_sparse": "this model has no sparse vectors; POST /embed has dense ones",
    "/embed_all": "this model's engines compute a sentence's two ends, and no vector a token; POST /embed has theirs",
}
"""Paths of the API that this server doesn't offer, with the reason."""


class Tei:
    """Endpoints of text-embeddings-inference's API, over one model."""

    def __init__(self, service: ModelService) -> None:
        """Answer by the default model of `service`."""
        self._responder = service.responders.default
        self._settings = service.settings

    def routes(self, http: HttpRoutes) -> list[BaseRoute]:
        """Make the routes of all endpoints."""
        compared, decoded = (http.saying(partial(render_error, sentences=name)) for name in (_COMPARED, "ids"))
        return [
            http.posts(EMBED, self.embed),
            http.posts(BASE, self.embed_or_compare),
            compared.posts("/similarity", self.similarity),
            http.posts("/tokenize", self.tokenize),
            decoded.posts("/decode", self.decode),
            http.gets("/info", self.info),
            *(http.refuses(path, 424, why) for path, why in _NOT_OFFERED.items()),
        ]

    def embed(self, content: bytes, context: CallContext) -> None:
        """Embed the request's texts."""
        self._embed(self._parsed(content, TeiEmbedRequest), context)

    def similarity(self, content: bytes, context: CallContext) -> None:
        """Compare one text with others by the cosine of their embeddings."""
        self._compare(self._parsed(content, SimilarityRequest), context)

    def embed_or_compare(self, content: bytes, context: CallContext) -> None:
        """Embed the request's texts; compare them if it is a comparison, which clients of a base URL send there too."""
        given = self._read(content)
        if "inputs" not in given and not given.keys().isdisjoint(_COMPARISON):
            compared = {name: given.pop(name) for name in _COMPARISON if name in given}
            given["inputs"] = compared
        if isinstance(given.get("inputs"), dict):
            self._compare(as_request(given, SimilarityRequest), context)
        else:
            self._embed(as_request(given, TeiEmbedRequest), context)

    def _embed(self, request: TeiEmbedRequest, context: CallContext) -> None:
        truncation = request.kept(self._settings.truncation("start"))
        options = request.as_options(truncation=truncation, normalize=request.normalize)
        written_as = request.encoding_format or "float"
        if written_as == "int8" and not request.normalize:
            raise RequestError(_NO_SCALE, field="encoding_format")
        self._responder.embed(Query(request.inputs, options), context, partial(_write, context, written_as))

    def _compare(self, request: SimilarityRequest, context: CallContext) -> None:
        truncation = (request.parameters or Parameters()).kept(self._settings.truncation("start"))
        others = request.inputs.sentences
        if not others:
            return self._responder.embed(Query(others), context, partial(_write, context, "float"))
        query = Query([*others, request.inputs.source_sentence], Options(truncation, normalize=True))
        try:
            return self._responder.embed(query, context, partial(_write_similarities, context))
        except SentenceError as error:
            if error.index < len(others):
                raise
            raise _source_error(error) from None

    def tokenize(self, content: bytes, context: CallContext) -> None:
        """Cut the request's texts into the tokens that the model reads."""
        texts = self._parsed(content, TokenizeRequest).inputs
        self._responder.charge(texts, context)
        _, found = self._responder.embedder.tokenise(
            texts, Options("start"), deadline=context.deadline, is_over=context.is_over
        )
        tell_truncated(context, [read.truncated for read in found])
        tokens = [
            [
                {"id": token, "text": text[start:stop], "special": False, "start": start, "stop": stop}
                for token, (start, stop) in zip(read.ids, read.places, strict=True)
            ]
            for text, read in zip(texts, found, strict=True)
        ]
        context.send(orjson.dumps(tokens))

    def decode(self, content: bytes, context: CallContext) -> None:
        """Answer with the text of each list of token ids."""
        request = self._parsed(content, DecodeRequest)
        self._responder.charge(request.ids, context)
        found = self._responder.embedder.decode(request.ids, skip_special_tokens=request.skip_special_tokens)
        context.send(orjson.dumps(found))

    def info(self, _: bytes, context: CallContext) -> None:
        """Answer with the model, and the limits that apply to this caller."""
        context.send(orjson.dumps(described(self._responder, self._settings, context)))

    def _parsed(self, content: bytes, kind: type[RequestT]) -> RequestT:
        return as_request(self._read(content), kind)

    def _read(self, content: bytes) -> dict[str, Any]:
        limits = self._responder.embedder.limits
        check_values(
            content,
            max_values=FAR * max(limits.tokens, limits.sentences),
            max_lists=FAR * limits.sentences,
            field="sentences",
        )
        return read_object(content)


def described(responder: Responder, settings: Settings, context: CallContext) -> dict[str, Any]:
    """Describe the model and the server in the API's terms, with the limits that apply to the caller of `context`."""
    embedder = responder.embedder
    config = embedder.model.config
    return {
        "model_id": responder.name,
        "model_sha": config.version,
        "model_dtype": "float32",
        "model_type": {"embedding": {"pooling": "mean" if config.pooling == "mean" else "last_token"}},
        "max_concurrent_requests": settings.max_concurrent_requests,
        "max_input_length": config.max_tokens,
        "max_batch_tokens": settings.max_batch_tokens or batching(config, embedder.model.device).max_tokens,
        "max_batch_requests": None,
        "max_client_batch_size": responder.max_sentences(context),
        "auto_truncate": settings.truncation("start") != "error",
        "tokenization_workers": embedder.workers,
        "version": version("bothends"),
        "sha": None,
        "docker_label": None,
    }


def _source_error(error: SentenceError) -> RequestError:
    name = "inputs.source_sentence"
    if isinstance(error, LongSentenceError):
        return RequestError(f"{name} {error.reason}")  # too much, as too many are
    return RequestError(f"{name} {error.reason}", field=name)


def _write(context: CallContext, written_as: Format, found: Embeddings) -> bytes:
    """Write the response as JSON, in the engine's thread.

    Each float32 has the fewest digits that read back as the same number.
    """
    tell_truncated(context, found.truncated)
    if written_as != "float":
        return orjson.dumps(in_base64(found.rows, written_as)[0])
    return orjson.dumps(np.ascontiguousarray(found.rows), option=orjson.OPT_SERIALIZE_NUMPY)


def _write_similarities(context: CallContext, found: Embeddings) -> bytes:
    """Write the cosine of each row to the last one. All have length 1."""
    tell_truncated(context, found.truncated)
    *others, source = found.rows
    return orjson.dumps([min(1.0, max(-1.0, float(row @ source))) for row in others])
