"""Serves the web page at /: its files, and the model, the server's numbers and explanations as JSON.

The page asks for embeddings like any other caller. All its files are packaged; it loads nothing from other sites.
"""

from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import metadata, version
from importlib.resources import files
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ....core.explain import Parts
from ....core.query import Query
from ....embeddings import Embeddings
from ....errors import RequestError
from ....options import Options
from ...context import CallContext
from ...dispatch import FAR
from ...http.auth import who_calls
from ...http.failure import JSON
from ...http.recent import Recent
from ...http.routes import HttpRoutes
from ...http.values import check_values
from ..front import Served
from .live import live

_KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_HEADERS = {
    # Nothing but this server's own files runs or is asked; no other page frames it.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_LINKS = {
    "name": "bothends",
    "version": version("bothends"),
    "links": {
        "openapi": "/openapi.json",
        "models": "/v1/models",
        "embeddings": "/v1/embeddings",
        "info": "/info",
        "health": "/readyz",
        "metrics": "/metrics",
    },
}
"""Answer to a program that asks at /."""
_DESCRIBED = {"version", "hidden_size", "languages", "layers", "nested_dimensions"}
_EXPLAINED = 64
"""Work of explaining a byte, as that of embedding one: each beginning and end of a sentence is embedded. However short
it is, it waits for its turn among its caller's."""
_SHOWN_NUMBERS = 24
"""Numbers of a state that are sent: a person couldn't tell more apart."""


class ExplainRequest(BaseModel):
    """The body of POST /explain."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sentence: str


class TokensRequest(BaseModel):
    """The body of POST /tokens."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sentences: list[str]


class Page:
    """Routes of the web page over one server."""

    def __init__(self, served: Served) -> None:
        """Serve the page of `served`: its live numbers to the callers who may read /metrics, its files to everybody,
        and all else to the callers of the other fronts.
        """
        service = served.service
        self._responder = service.responders.default
        self._is_ready = service.is_ready
        self._grpc_port = served.grpc_port
        self._metrics_for = service.settings.metrics
        self._keys = service.keys
        self._numbers = Recent(partial(live, service.metrics.registry, served.embedding_methods))
        self._server_version = version("bothends")
        self._documentation = _repository()

    def routes(self, http: HttpRoutes) -> list[BaseRoute]:
        """Make the routes of every path."""
        routes: list[BaseRoute] = [
            *_files(),
            http.gets("/model", self.model),
            http.posts("/explain", self.explain, parse=_parse),
            http.posts("/tokens", self.tokens, parse=self._parse_sentences),
        ]
        return [*routes, Route("/live", self.live)] if self._metrics_for != "off" else routes

    async def live(self, request: Request) -> Response:
        """Answer with the server's current numbers."""
        if self._metrics_for == "keys":
            who_calls(request, self._keys)
        return JSONResponse({"is_serving": self._is_ready(), **await self._numbers.get()})

    def model(self, _: bytes, context: CallContext) -> None:
        """Answer with the model, its card, and the limits that apply to this caller."""
        embedder = self._responder.embedder
        model = embedder.model
        config = model.config
        described = {
            "name": self._responder.name,
            **config.model_dump(include=_DESCRIBED, mode="json"),
            "dimension": config.dimension,
            "encoder": config.described(),
            "device": model.device,
            "engine": model.provider,
            "selftest_difference": model.self_test.max_difference,
            "server_version": self._server_version,
            "documentation": self._documentation,
            "grpc_port": self._grpc_port,
            "limits": {
                "sentences": self._responder.max_sentences(context),
                "sentence_chars": embedder.limits.sentence_chars,
                "tokens": config.max_tokens,
            },
            "card": model.card,
        }
        context.send(_json(described))

    def tokens(self, request: TokensRequest, context: CallContext) -> None:
        """Answer with each sentence's number of tokens, and which of them stand for text that the model doesn't
        know.
        """
        self._responder.charge(request.sentences, context)
        _, found = self._responder.embedder.tokenise(
            request.sentences, Options("start"), deadline=context.deadline, is_over=context.is_over
        )
        counts = [
            {"tokens": len(read.ids), "unknown": sum(read.unknown), "truncated": read.truncated} for read in found
        ]
        context.send(_json({"sentences": counts}))

    def _parse_sentences(self, content: bytes) -> TokensRequest:
        check_values(content, max_values=FAR * self._responder.embedder.limits.sentences)
        try:
            return TokensRequest.model_validate_json(content)
        except ValidationError:
            raise RequestError(
                'the body is no JSON like {"sentences": ["there", "dragons"]}', field="sentences"
            ) from None

    def explain(self, request: ExplainRequest, context: CallContext) -> None:
        """Embed each prefix and suffix of the sentence (each counts as a sentence), and answer with what they show."""
        embedder = self._responder.embedder
        parts = Parts.of(request.sentence, embedder, deadline=context.deadline, is_over=context.is_over)
        self._responder.embed(Query(parts.sequences), context, partial(_write, parts))


def _write(parts: Parts, found: Embeddings) -> bytes:
    """Write the answer, on the engine's thread that had the last row."""
    return _json(parts.explained(found).as_json(numbers=_SHOWN_NUMBERS))


def _parse(content: bytes) -> ExplainRequest:
    check_values(content, max_values=0)
    try:
        return ExplainRequest.model_validate_json(content)
    except ValidationError:
        raise RequestError('the body is no JSON like {"sentence": "there will be dragons"}', field="sentence") from None


def _json(content: Mapping[str, Any]) -> bytes:
    return orjson.dumps(content)


def _repository() -> str | None:
    """Return the address that the distribution says its source is at, which a release alone does."""
    addresses = (each.partition(", ") for each in metadata("bothends").get_all("Project-URL", []))
    return next((address for name, _, address in addresses if name == "Source"), None)


def _page_or_links(page: Callable[[Request], Response], request: Request) -> Response:
    """Answer a browser with the page, and a program that wants JSON with where to look."""
    accepted = request.headers.get("accept", "")
    wants_json = JSON in accepted and "text/html" not in accepted
    return JSONResponse(_LINKS, headers={"Vary": "Accept"}) if wants_json else page(request)


def _files() -> list[Route]:
    """Make the routes of the page at /, and of its parts under /page/."""

    def serving(content: bytes, kind: str) -> Callable[[Request], Response]:
        return lambda _: Response(content, media_type=kind, headers=_HEADERS)

    found: list[Route] = []
    for file in (files(__package__) / "assets").iterdir():
        if kind := _KINDS.get(file.name.rpartition(".")[2]):  # an editor may leave others beside them
            page = serving(file.read_bytes(), kind)
            if file.name == "page.html":
                found.append(Route("/", partial(_page_or_links, page)))
            else:
                found.append(Route(f"/page/{file.name}", page))
    return found
