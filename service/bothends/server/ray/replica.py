"""Replica of a Ray Serve application: the same service as server.py runs, for calls that Ray forwards.

Ray starts it, checks its health, and stops it; it knows neither other replicas nor proxies.
"""

import socket
import sys
from contextlib import ExitStack
from importlib.metadata import version
from typing import Any

import grpc
import ray
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2
from ray import serve
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from ...errors import BothendsError, NotServingError, StartupError
from ...observe.logs import configure
from ...observe.metrics import Metrics
from ...settings import Settings
from ...wire.messages import SERVICE
from ..fronts import FRONTS
from ..fronts.bothends.methods import EmbeddingService
from ..fronts.front import Served, documented
from ..grpc.calls.rpc_routes import RpcRoutes
from ..http.pages import application
from ..http.uvicorn_server import UvicornServer
from ..keys import Keys
from ..model_service import ModelService
from ..web_routes import front_routes, unknown_path
from .call import RawResponse, RayInbound, Request
from .targets import Targets


class Replica:
    """Service for calls of Ray Serve. It is ready once its self-test on golden sentences has passed."""

    def __init__(self, settings: dict[str, Any], expected: str) -> None:
        """Load and start. Raises StartupError that names the replica and its node."""
        self.name = serve.get_replica_context().replica_tag
        self._node = ray.util.get_node_ip_address()
        self._undo = ExitStack()
        try:
            if (found := version("bothends")) != expected:
                raise StartupError(f"bothends {found} is installed here, {expected} where the application was built")
            self._begin(Settings.model_validate(settings))
        except BothendsError as error:
            self._undo.close()
            raise StartupError(f"replica {self.name} on node {self._node}: {error}") from None

    def _begin(self, settings: Settings) -> None:
        configure(settings.log_level, sys.stderr)
        self._service = service = ModelService.load(settings, Metrics(), keys=Keys.load(settings))
        self._undo.callback(service.close)
        dispatcher = service.dispatcher()
        self._max_bytes = most = settings.max_message_bytes
        embedding = EmbeddingService(service.responders, max_message_bytes=most, transport="ray")
        routes = embedding.routes(RpcRoutes(dispatcher))
        self._methods = {route.method.name: route.handle for route in routes}
        self._targets = self._serve_metrics(settings)
        pages: list[BaseRoute] = [Route("/targets", self._targets.page)] if self._targets else []
        apis = documented(FRONTS)
        if settings.http_api:
            pages += front_routes(Served(service, apis, "ray"), dispatcher)
        self._pages = application(
            service.metrics.registry, service.is_fit, metrics_for="off", routes=pages, unknown=unknown_path(apis)
        )
        service.start()
        self._undo.callback(service.begin_stop)

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """Return the application that answers over HTTP, as Ray asks for it."""
        return self._pages

    async def Embed(self, request: Request, grpc_context: Any) -> RawResponse:  # noqa: N802  gRPC's names
        """Answer Embed as `bothends serve` does."""
        return await self._answer("Embed", request, grpc_context)

    async def Tokenize(self, request: Request, grpc_context: Any) -> RawResponse:  # noqa: N802
        """Answer Tokenize as `bothends serve` does."""
        return await self._answer("Tokenize", request, grpc_context)

    async def GetModel(self, request: Request, grpc_context: Any) -> RawResponse:  # noqa: N802
        """Answer GetModel as `bothends serve` does."""
        return await self._answer("GetModel", request, grpc_context)

    async def Check(self, request: Request) -> RawResponse:  # noqa: N802
        """Answer a health check (grpc.health.v1) with the health of the named model, or of all models for any other
        name.
        """
        health = health_pb2.HealthCheckResponse
        ready = self._service.models_ready().get(_service_of(request[0]), self._service.is_fit)
        status = health.SERVING if ready() else health.NOT_SERVING
        return RawResponse(health(status=status).SerializeToString())

    async def check_health(self) -> None:
        """Raise while a model isn't healthy. Ray replaces a replica whose check raises three times."""
        if not self._service.is_fit():
            raise NotServingError(f"replica {self.name} on node {self._node}: the model is withdrawn")
        if self._targets:
            await self._targets.announce()

    def __del__(self) -> None:
        self._undo.close()

    async def _answer(self, method: str, request: Request, context: Any) -> RawResponse:
        if (size := len(request[0])) > self._max_bytes:
            context.set_code(grpc.StatusCode.RESOURCE_EXHAUSTED)
            context.set_details(
                f"SERVER: Received message larger than max ({size} vs. {self._max_bytes})"
            )  # gRPC's words
            return RawResponse(b"")
        return await RayInbound(request, context).serve(self._methods[f"/{SERVICE}/{method}"])

    def _serve_metrics(self, settings: Settings) -> Targets | None:
        """Serve metrics on a port of their own: a call by Ray's proxies reaches whichever replica they choose."""
        if settings.metrics == "off":
            return None
        listener = socket.create_server((self._node, 0))
        service = self._service
        pages = application(service.metrics.registry, service.is_fit, metrics_for=settings.metrics, keys=service.keys)
        web = UvicornServer(pages, listener, settings, None)
        web.start()
        self._undo.callback(web.stop, 0)
        address = f"{self._node}:{listener.getsockname()[1]}"
        targets = Targets(self.name, address, service.keys if settings.metrics == "keys" else None)
        self._undo.callback(targets.forget)
        return targets


def _service_of(content: bytes) -> str:
    """Return the service that a health check asks about; empty if it is malformed."""
    try:
        return str(health_pb2.HealthCheckRequest.FromString(content).service)
    except DecodeError:
        return ""
