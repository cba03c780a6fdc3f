"""Lists the paths that fronts answer over HTTP, and the OpenAPI document of all of them."""

import logging
from typing import Any

from starlette.routing import BaseRoute

from ..settings import Settings
from .dispatch import Dispatcher
from .fronts.ollama import document as ollama_document
from .fronts.ollama.endpoints import Ollama
from .fronts.openai import document as openai_document
from .fronts.openai import endpoints as openai
from .fronts.openai.endpoints import unknown_path
from .fronts.page.endpoints import Page
from .fronts.tei import document as tei_document
from .fronts.tei.endpoints import Tei
from .http import openapi
from .http.call import BodyLimits
from .http.pages import PROBES
from .model_service import ModelService
from .responder import Responders

__all__ = ["api_routes", "document", "unknown_path", "web_routes"]
_log = logging.getLogger(__name__)
_NO_CERTIFICATES = "HTTP asks its callers for no certificate, as gRPC does here; that needs --api-keys"
_APIS = (openai_document, tei_document, ollama_document)
_PROBED = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}


def web_routes(service: ModelService, settings: Settings, *, grpc_port: int) -> list[BaseRoute]:
    """List the paths of a server of `bothends serve`. Their calls come in one thread, that of HTTP's event loop."""
    if not settings.http_api:
        return []
    if not settings.offers_http_api:
        _log.warning("the HTTP API isn't offered: %s", _NO_CERTIFICATES)
        return openai.shut(_NO_CERTIFICATES)
    limits, dispatcher = BodyLimits.of(settings), service.dispatcher()
    page = Page(
        service.responders.default,
        service.metrics,
        service.is_ready,
        grpc_port=grpc_port,
        keys=service.keys,
        metrics_for=settings.metrics,
    )
    apis = api_routes(service.responders, settings, limits, dispatcher, behind=service.dispatcher_behind())
    return [*page.routes(dispatcher, limits), *apis]


def api_routes(
    responders: Responders,
    settings: Settings,
    limits: BodyLimits,
    dispatcher: Dispatcher,
    *,
    behind: Dispatcher | None = None,
) -> list[BaseRoute]:
    """List the paths of all APIs. `behind` is for calls that a transport has let in already."""
    return [
        *openai.OpenAI.of(responders, settings, limits).routes(dispatcher, behind=behind),
        *Tei(responders.default, settings, limits).routes(dispatcher, behind=behind),
        *Ollama.of(responders, settings, limits).routes(dispatcher, behind=behind),
        *openapi.routes(document()),
        *openai.without_v1(),
    ]


def document() -> dict[str, Any]:
    """Make the OpenAPI document of all APIs."""
    probes = [openapi.Operation("get", path, "Whether the server lives", _PROBED) for path in PROBES[:1]]
    probes += [openapi.Operation("get", path, "Whether it serves", _PROBED, errors=(503,)) for path in PROBES[1:]]
    return openapi.document([*(each for api in _APIS for each in api.OPERATIONS), *probes])
