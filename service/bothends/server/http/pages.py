"""ASGI application: /metrics for Prometheus, /healthz and /readyz for probes, and the routes of the fronts."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Literal

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ..keys import Keys
from .auth import UNAUTHENTICATED, who_calls
from .recent import Recent

PROBES = ("/healthz", "/readyz", "/health")
"""Paths of probes, which are answered however full all else is. The last is what text-embeddings-inference's callers
have for the second."""
METRICS = "/metrics"
"""Path of scrapes, which the native transport lets in as it does probes: what a full server does is to be seen."""
_OPENMETRICS = "application/openmetrics-text"


def application(
    registry: CollectorRegistry,
    is_ready: Callable[[], bool],
    *,
    models: Mapping[str, Callable[[], bool]] | None = None,
    metrics_for: Literal["open", "keys", "off"] = "open",
    keys: Keys | None = None,
    routes: Iterable[BaseRoute] = (),
    unknown: Response | None = None,
) -> Starlette:
    """Make the ASGI application over metrics, readiness and the fronts' `routes`. Health probes need no key.

    `models` maps a model's name to a function that says whether it is ready, for `/readyz?model=`. `unknown` answers
    all other paths.
    """
    texts, openmetrics = (_Exposition(registry, accept) for accept in ("text/plain", _OPENMETRICS + "; version=1.0.0"))

    async def metrics(request: Request) -> Response:
        if metrics_for == "keys":
            who_calls(request, keys)
        return await (openmetrics if _OPENMETRICS in request.headers.get("Accept", "") else texts).response()

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(request: Request) -> Response:
        model = request.query_params.get("model")
        asked = is_ready if model is None else (models or {}).get(model)
        if asked is None:
            return JSONResponse({"status": "no such model"}, 404)
        ready = asked()
        return JSONResponse({"status": "serving" if ready else "not serving"}, 200 if ready else 503)

    pages: list[BaseRoute] = [Route(path, probe) for path, probe in zip(PROBES, (healthz, readyz, readyz), strict=True)]
    if metrics_for != "off":
        pages.append(Route(METRICS, metrics))
    handlers = dict(UNAUTHENTICATED)
    if unknown is not None:
        handlers[404] = lambda *_: unknown
    made = Starlette(routes=[*pages, *routes], exception_handlers=handlers)
    made.router.redirect_slashes = False  # few programs would send their body there
    return made


class _Exposition:
    """All metrics in one format: callers have no say in its details, or each could ask for a page of their own."""

    def __init__(self, registry: CollectorRegistry, accept: str) -> None:
        encode, self._content_type = choose_encoder(accept)
        self._recent = Recent(partial(encode, registry))

    async def response(self) -> Response:
        return Response(await self._recent.get(), headers={"Content-Type": self._content_type})
