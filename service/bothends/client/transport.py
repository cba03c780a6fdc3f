"""The interface by which the client's core sends requests and waits. Clients for threads and for asyncio each implement
it.

In the implementation for threads nothing that is awaited ever suspends, so one core serves both.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message


@dataclass(frozen=True, slots=True)
class Method:
    """A method's path, and the parser of its responses."""

    path: str
    parse: Callable[[bytes], Any]


class Cancellable(Protocol):
    """A call in progress."""

    def cancel(self) -> Any:
        """Cancel the call at the server: its answer isn't wanted any more."""


class StreamCall(Cancellable, Protocol):
    """A call of many messages in progress."""

    def send(self, request: Message | None) -> None:
        """Send `request` when the server reads it, without waiting; None where nothing more will be sent."""

    async def receive(self) -> Any | None:
        """Wait for the next answer; None after the last. Raises grpc.RpcError."""


CallT = TypeVar("CallT", bound=Cancellable)
T = TypeVar("T")


class Transport(Protocol[CallT]):
    """Calls to one server, blocking or on asyncio."""

    def start(self, method: Method, request: Message, *, timeout_s: float) -> CallT:
        """Send `request` without waiting for the answer."""

    async def response(self, call: CallT) -> Any:
        """Wait for the answer to `call`. Raises grpc.RpcError."""

    def open_stream(self, method: Method, *, timeout_s: float) -> StreamCall:
        """Begin a call of many messages."""

    async def sleep(self, seconds: float) -> None:
        """Sleep."""


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine over a transport that blocks, so that no await in it ever suspends; return its result."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        result: T = finished.value
        return result
    raise AssertionError("a blocking transport has suspended")


def iterate_blocking(results: AsyncGenerator[T, None]) -> Iterator[T]:
    """Yield what an asynchronous generator over a transport that blocks yields; it is closed with this one."""
    try:
        while True:
            try:
                yield run_blocking(results.asend(None))
            except StopAsyncIteration:
                return
    finally:
        run_blocking(results.aclose())
