"""Lists every gRPC method with the handler that takes its messages."""

from functools import partial

from ..observe import tracing
from ..settings import PortSettings
from ..wire.messages import SERVICE
from .dispatch import tells_of_each_call
from .fronts.bothends.methods import EmbeddingService
from .fronts.bothends.stream import EmbedStreams
from .fronts.kserve import methods as kserve
from .fronts.openai.codec import embeddings_codec
from .fronts.openai.endpoints import EMBEDDINGS
from .grpc.calls.reflection import NAMES as REFLECTION
from .grpc.calls.reflection import reflecting
from .grpc.calls.small import SmallRequests
from .grpc.calls.source import Route
from .grpc.contract import Method, TransportName
from .http.pages import METRICS, PROBES
from .inbound import Inbound
from .model_service import ModelService

SERVICES = (SERVICE, kserve.SERVICE)
"""Names of gRPC's services that health and reflection tell of."""


def routes_of(service: ModelService, streams: EmbedStreams, *, transport: TransportName) -> list[Route]:
    """Make the routes of every method. `transport` is told to callers who ask."""
    settings, metrics, dispatcher = service.settings, service.metrics, service.dispatcher_behind()
    embedding = EmbeddingService(service.responder, max_message_bytes=settings.max_message_bytes, transport=transport)
    inference = kserve.InferenceService(service.responder, service.is_ready)
    small = {
        name: SmallRequests(_counted(name), read, service.embedder, metrics, service.keys, tells_of_each_call)
        for name, read in {**embedding.small_requests(), **inference.small_requests()}.items()
    }
    unary = {**embedding.methods(dispatcher), **inference.methods(dispatcher)}
    codecs = {**embedding.codecs(), **inference.codecs(), **streams.codecs()}
    routes = [
        Route(Method(name), handle, _counted(name), small.get(name), codecs.get(name)) for name, handle in unary.items()
    ]
    for name, handle in streams.methods(dispatcher).items():
        method, codec = Method(name, is_stream=True), codecs.get(name)
        routes.append(Route(method, handle, _counted(name), create_codec=codec, write_failed=streams.write_failed))
    for name, handle in inference.probes(dispatcher).items():
        routes.append(Route(Method(name, is_metered=False), handle))
    reflect = dispatcher.open_handler(reflecting(SERVICES))
    names = [f"/{name}/ServerReflectionInfo" for name in REFLECTION]
    routes += [Route(Method(name, is_stream=True, is_metered=False), reflect) for name in names]
    return routes


def http_routes(settings: PortSettings) -> list[Route]:
    """List what a transport that serves HTTP has to know by its path: calls that it lets in, probes and scrapes."""
    unmetered = PROBES if settings.metrics == "off" else (*PROBES, METRICS)
    routes = [Route(Method(path, is_metered=False, is_http=True), _never) for path in unmetered]
    if settings.offers_http_api:
        name, codec = tracing.Method.http("POST", EMBEDDINGS).name, partial(embeddings_codec, settings)
        routes.append(Route(Method(EMBEDDINGS, is_http=True), _never, name, create_codec=codec))
    return routes


def _never(_: Inbound) -> None:
    """Take no message: HTTP's calls are served in C++, or are requests for the application."""
    raise AssertionError


def _counted(name: str) -> str:
    """Return the name by which metrics know a gRPC method."""
    return name.rpartition("/")[2]
