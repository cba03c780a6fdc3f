"""Routes of a front over HTTP: each path and method leads to the handler that takes its calls."""

from collections.abc import Mapping

from google.rpc import code_pb2, status_pb2
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ...observe.tracing import Method
from ..dispatch import Behaviour, Dispatcher
from .call import BodyLimits, Handle, HttpCall
from .contract import ADMITTED
from .failure import JSON, CodeOf, RenderError, code_of


class HttpRoutes:
    """Maker of one front's routes."""

    def __init__(self, limits: BodyLimits, render_error: RenderError, code_of: CodeOf = code_of) -> None:
        self._limits = limits
        self._errors = render_error, code_of

    def route(self, path: str, *, admitted: Mapping[str, Handle] | None = None, **handlers: Handle) -> Route:
        """Route calls at `path` to the handler of their HTTP method (`POST=…`); other methods get 405.

        Handlers of `admitted` are for calls that a transport has let in already.
        """
        return Route(path, _Endpoint(handlers, admitted or {}, self._limits, *self._errors))

    def posts(
        self, path: str, act: Behaviour[bytes], dispatcher: Dispatcher, *, behind: Dispatcher | None = None
    ) -> Route:
        """Route POSTs at `path` to `act`, which gets their bodies. `behind` is for those that a transport let in."""
        method = Method.http("POST", path)
        admitted = {} if behind is None else {"POST": behind.handler(method, bytes, act)}
        return self.route(path, POST=dispatcher.handler(method, bytes, act), admitted=admitted)

    def refuses(self, path: str, code: int, message: str) -> Route:
        """Route calls at `path` to a refusal with this HTTP status."""
        return Route(path, _Refusal(code, message, self._errors[0]))


class _Refusal:
    """ASGI application that answers every call with one error."""

    def __init__(
        self, code: int, message: str, render_error: RenderError, headers: Mapping[str, str] | None = None
    ) -> None:
        status = status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message=message)
        self._response = Response(render_error(code, status), code, headers, JSON)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._response(scope, receive, send)


class _Endpoint:
    """ASGI application over the methods of one path."""

    def __init__(
        self,
        handlers: Mapping[str, Handle],
        admitted: Mapping[str, Handle],
        limits: BodyLimits,
        render_error: RenderError,
        code_of: CodeOf,
    ) -> None:
        self._admitted = admitted
        self._handlers = {**handlers, **({"HEAD": handlers["GET"]} if "GET" in handlers else {})}
        self._limits = limits
        self._errors = render_error, code_of
        allowed = ", ".join(self._handlers)
        self._other = _Refusal(405, f"this path has no such method; it has {allowed}", render_error, {"Allow": allowed})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handlers = self._admitted if ADMITTED in scope.get("extensions", ()) else self._handlers
        handle = handlers.get(scope["method"])
        if handle is None:
            await self._other(scope, receive, send)
        else:
            await HttpCall(scope, self._limits, *self._errors).serve(handle, receive, send)
