"""Routes of a front over gRPC: each method leads to the handler that takes its calls, or its streams' messages."""

from collections.abc import Callable
from typing import Any

from ....observe import tracing
from ...dispatch import Behaviour, Dispatcher, Parse
from ..contract import Method
from ..plain_calls import CreateCodec
from .source import Route, Streams


class RpcRoutes:
    """Maker of fronts' routes. The transport has let their calls in."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        """Have `dispatcher` handle calls."""
        self._dispatcher = dispatcher

    def route(
        self,
        service: str,
        name: str,
        parse: Parse[Any],
        act: Behaviour[Any],
        *,
        is_stream: bool = False,
        create_codec: CreateCodec | None = None,
        streams: Streams | None = None,
    ) -> Route:
        """Route the calls, or a stream's messages, of a service's method to `act`, which gets what `parse` makes of
        them.
        """
        named = tracing.Method.rpc(service, name)
        handle = self._dispatcher.handler(named, parse, act, in_stream=is_stream)
        return Route(Method(f"/{service}/{name}", is_stream), handle, named.name, create_codec, streams)

    def probe(self, service: str, name: str, act: Callable[[bytes], bytes], *, is_stream: bool = False) -> Route:
        """Route calls that need no key, and are counted nowhere, to `act`, which answers at once."""
        return Route(Method(f"/{service}/{name}", is_stream, is_metered=False), self._dispatcher.open_handler(act))
