"""Lists every gRPC method, and every path that an HTTP transport has to know, with its handler."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..observe import tracing
from ..settings import PortSettings
from .fronts.front import MODEL, Front, Served, documented, no_such_path
from .grpc.calls.reflection import NAMES as REFLECTION
from .grpc.calls.reflection import reflecting
from .grpc.calls.rpc_routes import RpcRoutes
from .grpc.calls.source import Route
from .grpc.contract import Method, Reason, Response
from .grpc.plain_calls import CreateCodec, ServedModel
from .http.pages import METRICS, PROBES
from .http_refusals import responses
from .inbound import Inbound

if TYPE_CHECKING:
    from bothends_native.transport import Codec


def services(fronts: Sequence[Front]) -> list[str]:
    """Return the names of all gRPC services, for reflection."""
    return [name for front in fronts for name in front.services]


def names_of_all(fronts: Sequence[Front]) -> list[str]:
    """Return the names for which a health check reports on all models together.

    A model's own name reports on that model.
    """
    return ["", *services(fronts)]


def rpc_routes(served: Served) -> list[Route]:
    """Make the routes of every gRPC method, and of reflection."""
    rpc = RpcRoutes(served.service.dispatcher_of_admitted())
    reflect = reflecting(services(served.fronts))
    return [
        *(route for front in served.fronts for route in front.rpc_routes(served, rpc)),
        *(rpc.probe(name, "ServerReflectionInfo", reflect, is_stream=True) for name in REFLECTION),
    ]


def http_routes(settings: PortSettings, fronts: Sequence[Front], models: Sequence[str]) -> list[Route]:
    """List the paths that an HTTP transport has to know: calls that it admits itself, those of each of the `models`
    among them, probes, and metrics.
    """
    unmetered = PROBES if settings.metrics == "off" else (*PROBES, METRICS)
    routes = [Route(Method(path, is_metered=False, is_http=True), _never) for path in unmetered]
    for front in fronts if settings.offers_http_api else ():
        for path, create_codec in front.native.items():
            name = tracing.MethodName.http("POST", path).name
            create = partial(create_codec, settings)
            for model in models if MODEL in path else ("",):
                method = Method(
                    path.replace(MODEL, model), is_http=True, front=front.name, reads_any_type=front.reads_any_type
                )
                create_for = partial(_for_model, create, model) if model else create
                routes.append(Route(method, _never, name, create_codec=create_for))
    return routes


def http_words(settings: PortSettings, fronts: Sequence[Front]) -> dict[str, dict[Reason, Response]]:
    """Return for each front's name the responses with which an HTTP transport refuses calls, in that front's error
    format.
    """
    unknown = no_such_path(fronts)
    return {
        front.name: responses(settings, front.render_error, front.status_of, unknown=unknown)
        for front in documented(fronts)
    }


def _for_model(create: CreateCodec, name: str, models: Sequence[ServedModel]) -> "Codec":
    """Make a codec for which the model of this name is the default one."""
    return create([each._replace(is_default=each.name == name) for each in models])


def _never(_: Inbound) -> None:
    """Take no message: HTTP's calls are served in C++, or are requests for the application."""
    raise AssertionError
