"""A stream whose caller is the test, which decides what is sent when, and if answers are read."""

from collections.abc import Callable
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

import grpc
import pytest
from grpc_status import rpc_status

from bothends.errors import BothendsError
from bothends.v1 import embedding_pb2
from bothends.wire.messages import SERVICE
from bothends.wire.status import from_status

from .doors import Channel
from .until import TIMEOUT_S

PATH = f"/{SERVICE}/EmbedStream"


def request(*sentences: str, **options: Any) -> embedding_pb2.EmbedStreamRequest:
    """Make one message."""
    return embedding_pb2.EmbedStreamRequest(sentences=sentences, **options)


class Stream:
    """One call. `send` never waits; `receive` does."""

    def __init__(
        self, channel: Channel, *, key: str | None = None, timeout: float | None = TIMEOUT_S, path: str = PATH
    ) -> None:
        self._outgoing: SimpleQueue[bytes | None] = SimpleQueue()
        metadata = (("authorization", f"Bearer {key}"),) if key else None
        self.call = channel.stream_stream(path)(iter(self._outgoing.get, None), timeout=timeout, metadata=metadata)

    def send(self, *messages: embedding_pb2.EmbedStreamRequest | bytes) -> None:
        for message in messages:
            self._outgoing.put(message if isinstance(message, bytes) else message.SerializeToString())

    def close(self) -> None:
        """Send no more."""
        self._outgoing.put(None)

    def receive(self) -> embedding_pb2.EmbedStreamResponse:
        return embedding_pb2.EmbedStreamResponse.FromString(next(self.call))

    def rest(self) -> list[embedding_pb2.EmbedStreamResponse]:
        """Read all responses until it ends well."""
        self.close()
        return [embedding_pb2.EmbedStreamResponse.FromString(content) for content in self.call]

    def to_the_end(self) -> tuple[list[embedding_pb2.EmbedStreamResponse], BothendsError]:
        """Read all responses, and the error after them."""
        found = []
        try:
            for content in self.call:
                found.append(embedding_pb2.EmbedStreamResponse.FromString(content))  # noqa: PERF401  kept when it raises
        except grpc.RpcError as raised:
            return found, error_of(raised)
        raise AssertionError("it ended well")

    def end(self) -> BothendsError:
        """Return the error with which it ends, now."""
        found, error = self.to_the_end()
        assert not found
        return error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.call.cancel()
        self.close()


def error_by(call: Callable[[], object]) -> BothendsError:
    """Make a call that a bothends server refuses; returns the error that its status stands for."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return error_of(raised.value)


def error_of(raised: grpc.RpcError) -> BothendsError:
    """The error that a bothends server's status stands for."""
    status = rpc_status.from_call(raised)
    assert status is not None, raised
    return from_status(status)
