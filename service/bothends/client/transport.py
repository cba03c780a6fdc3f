"""Interface by which the client's core sends requests and waits. The clients for threads and for asyncio implement it.

In the implementation for threads, no await ever suspends, so that one core serves both.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message


@dataclass(frozen=True, slots=True)
class Method:
    """gRPC method: its path, and the parser of its responses."""

    path: str
    parse: Callable[[bytes], Any]


class Cancellable(Protocol):
    """Call in progress that can be cancelled."""

    def cancel(self) -> Any:
        """Cancel the call at the server, because its answer is no longer wanted."""


class StreamCall(Cancellable, Protocol):
    """Call of many messages in progress."""

    def send(self, request: Message | None) -> None:
        """Send `request` when the server is ready to read it, without waiting; None ends the requests."""

    async def receive(self) -> Any | None:
        """Wait for the next answer; None after the last one. Raises grpc.RpcError."""


CallT = TypeVar("CallT", bound=Cancellable)
T = TypeVar("T")


class Transport(Protocol[CallT]):
    """Sender of calls to one server, blocking or on asyncio."""

    def start(self, method: Method, request: Message, *, timeout_s: float) -> CallT:
        """Send `request` without waiting for the answer."""

    async def response(self, call: CallT) -> Any:
        """Wait for the answer to `call`. Raises grpc.RpcError."""

    def open_stream(self, method: Method, *, timeout_s: float) -> StreamCall:
        """Start a call of many messages."""

    async def sleep(self, seconds: float) -> None:
        """Sleep."""


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine over a blocking transport, in which no await ever suspends; return its result."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        result: T = finished.value
        return result
    raise AssertionError("a blocking transport has suspended")


def iterate_blocking(results: AsyncGenerator[T, None]) -> Iterator[T]:
    """Yield what an asynchronous generator over a blocking transport yields. Closing this one closes that one."""
    try:
        while True:
            try:
                yield run_blocking(results.asend(None))
            except StopAsyncIteration:
                return
    finally:
        run_blocking(results.aclose())
