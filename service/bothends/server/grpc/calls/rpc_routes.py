"""gRPC routes of a front: each maps a method to the handler of its calls, or of its streams' messages."""

from collections.abc import Callable
from typing import Any

from ....observe import tracing
from ...dispatch import Behaviour, Dispatcher, Parse
from ..contract import Method
from ..plain_calls import CreateCodec
from .source import Route, WaitingStreams


class RpcRoutes:
    """Maker of a front's gRPC routes. The transport has already admitted the calls that arrive by them."""

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
        streams: WaitingStreams | None = None,
    ) -> Route:
        """Route the method `name` of `service` to `act`, which gets each call's request, or each message of a stream,
        as parsed by `parse`, and the call's context.

        `create_codec` makes the codec by which C++ answers plain requests of the method. `streams` are told to drain
        and close as the server stops.
        """
        named = tracing.MethodName.rpc(service, name)
        handle = self._dispatcher.handler(named, parse, act, in_stream=is_stream)
        return Route(Method(f"/{service}/{name}", is_stream), handle, named.name, create_codec, streams)

    def probe(self, service: str, name: str, act: Callable[[bytes], bytes], *, is_stream: bool = False) -> Route:
        """Route the method `name` of `service` to `act`, which answers at once, bytes to bytes; its calls need no key
        and aren't counted in metrics.
        """
        return Route(Method(f"/{service}/{name}", is_stream, is_metered=False), self._dispatcher.open_handler(act))
