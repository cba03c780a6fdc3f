"""Record of one front, from which the server makes all its lists of fronts, paths and error texts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from starlette.routing import BaseRoute

from ...settings import HttpSettings
from ..grpc.calls.rpc_routes import RpcRoutes
from ..grpc.calls.source import Route
from ..grpc.plain_calls import ServedModel
from ..http.failure import RenderError, StatusOf, render_error, status_of
from ..http.openapi import Operation
from ..http.routes import HttpRoutes
from ..model_service import ModelService

if TYPE_CHECKING:
    from bothends_native.transport import Codec

MODEL = "{model}"
"""Part of a path that names a model."""
CreateHttpCodec: TypeAlias = "Callable[[HttpSettings, Sequence[ServedModel]], Codec]"
"""Function that makes the codec by which a native transport serves plain POSTs at a path by some of the models."""


@dataclass(frozen=True)
class Served:
    """What the server hands to the fronts: the models to answer from, and what some endpoints report about the
    server.
    """

    service: ModelService
    fronts: "Sequence[Front]"
    transport: str
    grpc_port: int = 0

    @property
    def embedding_methods(self) -> frozenset[str]:
        """Method names, as metrics label them, of all methods that take as long as an embedding, over all fronts."""
        return frozenset(name for front in self.fronts for name in front.embedding_methods)


@dataclass(frozen=True, kw_only=True)
class Front:
    """Record of one API that the server offers: its paths, methods and error format.

    Fields that an API doesn't need keep their defaults.
    """

    name: str
    """As people know it; no two have the same."""
    paths: Sequence[str] = ()
    """Paths that callers of an unknown one are told of, as `POST /embed`; the first is the one that embeds."""
    operations: Sequence[Operation] = ()
    """What the OpenAPI document says of it."""
    routes: Callable[[Served, HttpRoutes], Sequence[BaseRoute]] = lambda *_: ()
    """Makes its routes over HTTP."""
    render_error: RenderError = render_error
    status_of: StatusOf = status_of
    native: Mapping[str, CreateHttpCodec] = field(default_factory=dict)
    """Paths whose POSTs a native transport admits by itself, and answers if they are plain. One that holds MODEL is
    a path for each model, which its codec then gets as the default one.
    """
    reads_any_type: bool = False
    """True if bodies are read as JSON whatever their content-type is."""
    services: Sequence[str] = ()
    """Names of its gRPC services."""
    rpc_routes: Callable[[Served, RpcRoutes], Sequence[Route]] = lambda *_: ()
    """Makes its routes over gRPC."""
    embedding_methods: Sequence[str] = ()
    """Names in metrics of what takes an embedding's time: streams take longer, descriptions don't."""


def documented(fronts: Sequence[Front]) -> list[Front]:
    """Return the fronts that have an HTTP API to document.

    The first one's error format is also used for unknown paths.
    """
    return [front for front in fronts if front.operations]


def no_such_path(fronts: Sequence[Front]) -> str:
    """Return the text of a 404: it lists the paths that exist."""
    told = ", ".join(path for front in fronts for path in front.paths)
    return f"there is no such path; there are {told} and those that GET /openapi.json lists"


def embedding_paths(fronts: Sequence[Front]) -> list[str]:
    """Return one embedding path of each API, for people to try."""
    return [front.paths[0].partition(" ")[2] for front in fronts if front.paths]
