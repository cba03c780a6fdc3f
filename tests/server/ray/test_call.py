"""A call across Ray's proxy, without Ray: its context is the test's."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import grpc
import pytest
from google.rpc import status_pb2

from bothends.errors import OverloadedError
from bothends.server.inbound import DETAILS, Inbound
from bothends.server.ray.call import RawResponse, RayInbound, add_services
from bothends.wire.messages import SERVICE
from bothends.wire.status import to_status
from tests.support.until import TIMEOUT_S


class Context:
    """A call's context of Ray's: what gRPC knows of the call, and what goes back beside the response."""

    def __init__(self, metadata: Sequence[tuple[str, str]] = (), remaining_s: float | None = None) -> None:
        self._metadata = metadata
        self._remaining_s = remaining_s
        self.status: grpc.StatusCode | None = None
        self.details = ""
        self.trailer: Sequence[tuple[str, Any]] = ()

    def invocation_metadata(self) -> Sequence[tuple[str, str]]:
        return self._metadata

    def time_remaining(self) -> float | None:
        return self._remaining_s

    def code(self) -> grpc.StatusCode | None:
        return self.status

    def trailing_metadata(self) -> Sequence[tuple[str, Any]]:
        return self.trailer

    def set_code(self, code: grpc.StatusCode) -> None:
        self.status = code

    def set_details(self, details: str) -> None:
        self.details = details

    def set_trailing_metadata(self, trailer: Sequence[tuple[str, Any]]) -> None:
        self.trailer = trailer


def serve(handle: Callable[[Inbound], None], context: Context, *, remaining_s: float | None = None) -> bytes:
    """The response's bytes of one call."""

    async def call() -> RawResponse:
        return await asyncio.wait_for(RayInbound((b"request", remaining_s), context).serve(handle), TIMEOUT_S)

    return asyncio.run(call()).SerializeToString()


def test_an_answer_may_come_from_another_thread() -> None:
    """The request's bytes, its metadata and its deadline reach the handler; no status is set."""
    context, found = Context((("authorization", "Bearer key"),)), list[object]()

    def handle(call: Inbound) -> None:
        found.extend([call.metadata, call.deadline])
        call.read(lambda content: threading.Thread(target=call.answer, args=(b"to " + (content or b""),)).start())

    before = time.monotonic()
    assert serve(handle, context, remaining_s=100.0) == b"to request"
    metadata, deadline = found
    assert metadata == context.invocation_metadata()
    assert isinstance(deadline, float)
    assert deadline >= before + 100
    assert context.status is None


def test_a_failure_carries_its_details() -> None:
    """The status goes back as a server's own does, with an empty response; a later answer changes nothing."""
    context, error = Context(), to_status(OverloadedError("the queue is full", retry_after_s=2))

    def handle(call: Inbound) -> None:
        call.fail(error)
        call.answer(b"too late")

    assert serve(handle, context) == b""
    assert context.status is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert context.details == error.message
    ((name, content),) = context.trailer
    assert name == DETAILS
    assert status_pb2.Status.FromString(content) == error


def test_a_caller_that_leaves_is_heard_of() -> None:
    """Ray cancels what waits for the response."""
    left = threading.Event()

    async def leave() -> None:
        begun = asyncio.Event()

        def handle(call: Inbound) -> None:
            call.on_cancelled(left.set)
            begun.set()

        waiting = asyncio.create_task(RayInbound((b"", None), Context()).serve(handle))
        await asyncio.wait_for(begun.wait(), TIMEOUT_S)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(leave())
    assert left.is_set()


class Details(NamedTuple):
    """Details by which gRPC asks for a handler."""

    method: str
    invocation_metadata: tuple[()] = ()


class Proxy:
    """Ray's server in a proxy, with the factory of its handlers."""

    def __init__(self, rays: Callable[[Any, Any], Any]) -> None:
        self.service_handler_factory: Callable[..., Any] = lambda **_: rays
        self.handlers: dict[str, Any] = {}

    def add_generic_rpc_handlers(self, added: Sequence[grpc.GenericRpcHandler]) -> None:
        for name in ("Embed", "EmbedStream"):
            details = Details(f"/{SERVICE}/{name}")
            if added[0].service(details) is not None:  # type: ignore[arg-type]
                self.handlers[name] = self.service_handler_factory(service_method=details.method)


@pytest.mark.parametrize(
    ("trailer", "code"), [((), grpc.StatusCode.UNAVAILABLE), (((DETAILS, b""),), grpc.StatusCode.INTERNAL)]
)
def test_a_replicas_death_may_be_tried_again(trailer: Sequence[tuple[str, bytes]], code: grpc.StatusCode) -> None:
    """INTERNAL without details of ours is Ray's, for a replica that is gone; with them it is an answer."""
    given: list[object] = []

    async def rays(request: object, context: Context) -> bytes:
        given.append(request)
        context.set_code(grpc.StatusCode.INTERNAL)
        context.set_trailing_metadata(trailer)
        return b""

    proxy = Proxy(rays)
    add_services(None, proxy)
    context = Context(remaining_s=3.0)
    asyncio.run(proxy.handlers["Embed"](b"request", context))
    assert context.status is code
    assert given == [(b"request", 3.0)], "the deadline goes along"
