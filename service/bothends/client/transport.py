"""What a client sends by: the one thing in which threads and asyncio differ. Its awaits block, or suspend.

Knows no method and no address.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message


@dataclass(frozen=True, slots=True)
class Method:
    """What gRPC calls a method, and what its answers' bytes are."""

    path: str
    parse: Callable[[bytes], Any]


class Cancellable(Protocol):
    """A call in progress."""

    def cancel(self) -> Any:
        """Tell the server that nobody wants the answer."""


class StreamCall(Cancellable, Protocol):
    """A call of many messages in progress."""

    def send(self, request: Message | None) -> None:
        """Send `request` when the server reads it, and don't wait; None: nothing more will be sent."""

    async def receive(self) -> Any | None:
        """The next answer; None after the last. Raises grpc.RpcError."""


CallT = TypeVar("CallT", bound=Cancellable)
T = TypeVar("T")


class Transport(Protocol[CallT]):
    """What sends: where threads and asyncio differ."""

    def start(self, method: Method, request: Message, *, timeout_s: float) -> CallT:
        """Send `request`, and don't wait."""

    async def response(self, call: CallT) -> Any:
        """The answer. Raises grpc.RpcError."""

    def open_stream(self, method: Method, *, timeout_s: float) -> StreamCall:
        """Begin a call of many messages."""

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine over a transport that blocks, so that no await in it ever suspends."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        result: T = finished.value
        return result
    raise AssertionError("a blocking transport has suspended")


def iterate_blocking(results: AsyncGenerator[T, None]) -> Iterator[T]:
    """What an asynchronous generator over such a transport yields; closed with this one."""
    try:
        while True:
            try:
                yield run_blocking(results.asend(None))
            except StopAsyncIteration:
                return
    finally:
        run_blocking(results.aclose())
