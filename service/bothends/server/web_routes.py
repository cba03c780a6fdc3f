"""Lists the paths that fronts answer over HTTP, and makes the OpenAPI document of all of them."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from google.rpc import status_pb2
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from .dispatch import Dispatcher
from .fronts import FRONTS
from .fronts.front import Front, Served, documented, no_such_path
from .http import openapi
from .http.call import BodyLimits
from .http.failure import JSON
from .http.pages import PROBES
from .http.routes import HttpRoutes, RefusingEndpoint

_log = logging.getLogger(__name__)
_NO_CERTIFICATES = "HTTP asks its callers for no certificate, as gRPC does here; that needs --api-keys"
_EVERYTHING = "/{rest:path}"
_PROBED = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}


def web_routes(served: Served) -> list[BaseRoute]:
    """Return the routes of the HTTP server of `bothends serve`. Their calls all come in the event loop's thread."""
    service, settings = served.service, served.service.settings
    if not settings.http_api:
        return []
    if not settings.offers_http_api:
        _log.warning("the HTTP API isn't offered: %s", _NO_CERTIFICATES)
        return [Route(_EVERYTHING, RefusingEndpoint(403, _NO_CERTIFICATES, documented(served.fronts)[0].render_error))]
    return front_routes(served, service.dispatcher(), admitted=service.dispatcher_of_admitted())


def front_routes(served: Served, dispatcher: Dispatcher, *, admitted: Dispatcher | None = None) -> list[BaseRoute]:
    """Return the routes of all fronts, and of their document.

    `admitted` dispatches calls that a transport already admitted.
    """
    limits, routes = BodyLimits.of(served.service.settings), list[BaseRoute]()
    for front in served.fronts:
        reads = replace(limits, of_any_type=front.reads_any_type)
        http = HttpRoutes(reads, dispatcher, front.render_error, front.status_of, admitted=admitted)
        routes += front.routes(served, http)
    return [*routes, *openapi.routes(document(served.fronts))]


def unknown_path(fronts: Sequence[Front]) -> Response:
    """Make the 404 for unknown paths, which lists the known ones."""
    status = status_pb2.Status(message=no_such_path(fronts))
    return Response(documented(fronts)[0].render_error(404, status), 404, media_type=JSON)


def document(fronts: Sequence[Front] = FRONTS) -> dict[str, Any]:
    """Make the OpenAPI document of all APIs."""
    probes = [openapi.Operation("get", path, "Whether the server lives", _PROBED) for path in PROBES[:1]]
    probes += [openapi.Operation("get", path, "Whether it serves", _PROBED, errors=(503,)) for path in PROBES[1:]]
    return openapi.document([*(each for front in fronts for each in front.operations), *probes])
