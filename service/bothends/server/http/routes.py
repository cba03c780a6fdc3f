"""HTTP routes of a front: each maps a path and method to the handler of its calls."""

from collections.abc import Mapping
from typing import Any, Self

from google.rpc import code_pb2, status_pb2
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ...observe.tracing import MethodName
from ..dispatch import Behaviour, Dispatcher, Parse
from .call import BodyLimits, Handle, HttpInbound
from .contract import ADMITTED
from .failure import JSON, RenderError, StatusOf, status_of


class HttpRoutes:
    """Maker of one front's HTTP routes."""

    def __init__(
        self,
        limits: BodyLimits,
        dispatcher: Dispatcher,
        render_error: RenderError,
        status_of: StatusOf = status_of,
        *,
        admitted: Dispatcher | None = None,
    ) -> None:
        """Have `dispatcher` handle calls, and `admitted` those that a transport has let in already, if any does."""
        self._limits = limits
        self._dispatcher = dispatcher
        self._errors = render_error, status_of
        self._admitted = admitted

    def saying(self, render_error: RenderError) -> Self:
        """Return a maker of routes that write errors with `render_error`."""
        _, status_of = self._errors
        return type(self)(self._limits, self._dispatcher, render_error, status_of, admitted=self._admitted)

    def posts(self, path: str, act: Behaviour[Any], *, name: str = "", parse: Parse[Any] = bytes) -> Route:
        """Route POST requests at `path` to `act`, which gets the body as parsed by `parse`. `name` is the metrics'
        label.

        Other HTTP methods get 405, here and in `gets`.
        """
        return self._route(path, MethodName.http("POST", name or path), act=act, parse=parse)

    def gets(self, path: str, act: Behaviour[bytes], *, name: str = "") -> Route:
        """Route GET requests at `path` to `act`, which gets the path's variable part. `name` is the metrics' label."""
        return self._route(path, MethodName.http("GET", name or path), act=act)

    def refuses(self, path: str, code: int, message: str) -> Route:
        """Answer all requests at `path` with this HTTP status and message."""
        return Route(path, RefusingEndpoint(code, message, self._errors[0]))

    def _route(self, path: str, method: MethodName, *, act: Behaviour[Any], parse: Parse[Any] = bytes) -> Route:
        verb = method.attributes["http.request.method"]
        handlers, admitted = (
            {} if each is None else {verb: each.handler(method, parse, act)}
            for each in (self._dispatcher, self._admitted)
        )
        return Route(path, Endpoint(handlers, self._limits, *self._errors, admitted=admitted))


class RefusingEndpoint:
    """ASGI application that answers every request with the same error."""

    def __init__(
        self, code: int, message: str, render_error: RenderError, headers: Mapping[str, str] | None = None
    ) -> None:
        """Refuse with this HTTP status."""
        status = status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message=message)
        self._response = Response(render_error(code, status), code, headers, JSON)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await self._response(scope, receive, send)


class Endpoint:
    """ASGI application for one path that calls the handler of the request's HTTP method."""

    def __init__(
        self,
        handlers: Mapping[str, Handle],
        limits: BodyLimits,
        render_error: RenderError,
        status_of: StatusOf = status_of,
        *,
        admitted: Mapping[str, Handle] | None = None,
    ) -> None:
        """Have `handlers` take calls by their HTTP methods; `admitted` those that a transport has let in already."""
        self._admitted = admitted or {}
        self._handlers = {**handlers, **({"HEAD": handlers["GET"]} if "GET" in handlers else {})}
        self._limits = limits
        self._errors = render_error, status_of
        allowed = ", ".join(self._handlers)
        self._other = RefusingEndpoint(
            405, f"this path has no such method; it has {allowed}", render_error, {"Allow": allowed}
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say which methods there are."""
        handlers = self._admitted if ADMITTED in scope.get("extensions", ()) else self._handlers
        handle = handlers.get(scope["method"])
        if handle is None:
            await self._other(scope, receive, send)
        else:
            await HttpInbound(scope, self._limits, *self._errors).serve(handle, receive, send)
