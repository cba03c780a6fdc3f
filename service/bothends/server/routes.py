"""Lists every gRPC method with the handler that takes its messages."""

from functools import partial

from ..observe import tracing
from ..settings import PortSettings
from ..wire.messages import SERVICE
from .fronts.bothends.methods import EmbeddingService
from .fronts.bothends.stream import EmbedStreams
from .fronts.kserve import methods as kserve
from .fronts.ollama import codec as ollama_codec
from .fronts.ollama import endpoints as ollama
from .fronts.openai import endpoints as openai
from .fronts.openai.codec import embeddings_codec
from .fronts.tei import errors as tei_errors
from .fronts.tei import methods as tei
from .fronts.tei.codec import texts_codec
from .fronts.tei.endpoints import EMBED
from .grpc.calls.reflection import NAMES as REFLECTION
from .grpc.calls.reflection import reflecting
from .grpc.calls.source import Route
from .grpc.contract import Method, Reason, Response, TransportName
from .http.pages import METRICS, PROBES
from .http_refusals import responses
from .inbound import Inbound
from .model_service import ModelService

SERVICES = (SERVICE, kserve.SERVICE, *tei.SERVICES)
"""Names of gRPC's services that reflection tells of."""
OF_ALL = ("", *SERVICES)
"""Names by which health is asked whether all models are fit. By a model's name it is asked for that alone."""
_EMBEDDING = (
    (0, openai.EMBEDDINGS, embeddings_codec),
    (1, EMBED, texts_codec),
    (2, (ollama.EMBED,), ollama_codec.embed_codec),
    (2, (ollama.EMBEDDINGS,), ollama_codec.embeddings_codec),
)
"""Paths of requests for embeddings, the places of their APIs' words in `http_words`, and what makes their codecs."""


def routes_of(service: ModelService, streams: EmbedStreams, *, transport: TransportName) -> list[Route]:
    """Make the routes of every method. `transport` is told to callers who ask."""
    settings, dispatcher = service.settings, service.dispatcher_behind()
    embedding = EmbeddingService(service.responders, max_message_bytes=settings.max_message_bytes, transport=transport)
    inference = kserve.InferenceService(service.responders, service.is_ready, service.is_ready_for)
    others = tei.TeiServices(service.responders.default, settings)
    unary = {**embedding.methods(dispatcher), **inference.methods(dispatcher), **others.methods(dispatcher)}
    codecs = {**embedding.codecs(), **inference.codecs(), **streams.codecs(), **others.codecs()}
    routes = [Route(Method(name), handle, _counted(name), codecs.get(name)) for name, handle in unary.items()]
    for name, handle in streams.methods(dispatcher).items():
        method, codec = Method(name, is_stream=True), codecs.get(name)
        routes.append(Route(method, handle, _counted(name), create_codec=codec, write_failed=streams.write_failed))
    for name, handle in others.streams(dispatcher).items():
        routes.append(Route(Method(name, is_stream=True), handle, _counted(name), create_codec=codecs.get(name)))
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
        for words, paths, codec in _EMBEDDING:
            for path in paths:
                name = tracing.Method.http("POST", path).name
                method = Method(path, is_http=True, words=words)
                routes.append(Route(method, _never, name, create_codec=partial(codec, settings)))
    return routes


def http_words(settings: PortSettings) -> list[dict[Reason, Response]]:
    """List what a transport that serves HTTP refuses calls with by itself, in the words of each API that it knows."""
    unknown = openai.NO_SUCH_PATH
    return [
        responses(settings, openai.render_error, unknown=unknown),
        responses(settings, tei_errors.render_error, tei_errors.http_code, unknown=unknown),
        responses(settings, ollama.render_error, unknown=unknown),
    ]


def _never(_: Inbound) -> None:
    """Take no message: HTTP's calls are served in C++, or are requests for the application."""
    raise AssertionError


def _counted(name: str) -> str:
    """Return the name by which metrics know a gRPC method."""
    service, _, method = name[1:].partition("/")
    return tracing.Method.rpc(service, method).name
