"""Transports of each kind that is there, on ports of their own, whose messages are taken by the test."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest

from bothends.errors import StartupError
from bothends.server.grpc.contract import Message, Method, Transport, TransportName
from bothends.server.grpc.refusals import statuses
from bothends.server.grpc.select import listen, select
from bothends.settings import Settings
from tests.support.doors import ALONE
from tests.support.until import TIMEOUT_S, until

UNARY, STREAM, PROBE = (f"/test.Service/{name}" for name in ("Unary", "Stream", "Probe"))
METHODS = (Method(UNARY), Method(STREAM, is_stream=True), Method(PROBE, is_metered=False))


class Served:
    """A transport, and the messages that were taken from it."""

    def __init__(self, transport: Transport, port: int, channels: ExitStack) -> None:
        self.transport = transport
        self.port = port
        self._channels = channels
        self._calls: list[Any] = []
        self._never = threading.Event()
        channels.callback(self._never.set)
        self.over: list[int] = []
        self.channel = self.connect()

    def connect(self, *options: tuple[str, Any]) -> grpc.Channel:
        """Open a connection that no other caller shares."""
        target = f"127.0.0.1:{self.port}"
        return self._channels.enter_context(grpc.insecure_channel(target, options=[*ALONE, *options]))

    def unary(
        self, content: bytes = b"", *, method: str = UNARY, timeout: float | None = TIMEOUT_S, **options: Any
    ) -> Any:
        """Begin a call."""
        return self.keep(self.channel.unary_unary(method, bytes, bytes).future(content, timeout=timeout, **options))

    def open(self) -> Any:
        """Begin a call that sends nothing."""
        begin = self.channel.stream_unary(UNARY, bytes, bytes).future
        return self.keep(begin(iter(self._never.wait, True), timeout=None))

    def keep(self, call: Any) -> Any:
        """Hold on to a call: one that nobody holds is cancelled."""
        self._calls.append(call)
        return call

    def take_messages(self, most: int = 64, wait_s: float = 0.05) -> list[Message]:
        """Take what is there, and note what is over."""
        taken = self.transport.take_messages(most, wait_s)
        assert taken is not None
        self.over += taken.over
        return list(taken.messages)

    def expect(self, count: int) -> list[Message]:
        """Take so many messages, and no more."""
        found: list[Message] = []
        until(lambda: len(found.__iadd__(self.take_messages())) >= count)
        assert len(found) == count
        return found

    def begun(self, channel: grpc.Channel, timeout: float | None) -> tuple[Any, Message]:
        """Begin a call whose message is taken, and one whose message waits; anew where their time was over before."""
        begin = channel.unary_unary(UNARY, bytes, bytes).future
        while True:
            taken, messages = begin(b"taken", timeout=timeout), list[Message]()
            until(lambda: messages.__iadd__(self.take_messages()) or taken.done())  # noqa: B023  called here
            waiting = self.keep(begin(b"waiting", timeout=timeout))
            until(lambda: self.transport.figures()["waiting"] == 1 or waiting.done())  # noqa: B023
            if messages and not waiting.done():
                return taken, messages[0]
            until(lambda: self.take_messages(0) == [] and self.transport.figures()["calls"] == 0)
            self.transport.ended()
            self.over.clear()

    def echo(self, messages: list[Message]) -> None:
        """Answer each message with its own bytes."""
        self.transport.answer([message.id for message in messages], [message.content for message in messages])

    def ended(self, count: int) -> list[tuple[int, int, str]]:
        """Wait until so many calls have ended by themselves: method, code, and reason of each."""
        found: list[tuple[int, int, str]] = []

        def enough() -> bool:
            self.take_messages(0)
            for each in self.transport.ended():
                reason = "" if each.refusal is None else each.refusal.name
                found.extend([(each.method, each.code, reason)] * len(each.seconds))
            return len(found) >= count

        until(enough)
        return found


Open = Callable[..., Served]


@pytest.fixture(params=["grpcio", "native"])
def name(request: pytest.FixtureRequest) -> TransportName:
    """A transport that can serve here."""
    try:
        return select(Settings(transport=request.param))
    except StartupError as error:
        pytest.skip(str(error))


@pytest.fixture
def serve(name: TransportName) -> Iterator[Open]:
    """Serve METHODS, with some settings."""
    with ExitStack() as stack:

        def start(**near: Any) -> Served:
            settings = Settings(port=0, **near)
            listener = listen(name, settings, None)
            transport = listener.serve(
                METHODS,
                headers=["wanted"],
                health=["", "test.Service"],
                statuses=statuses(settings),
                shards=settings.shards_for(1),
            )
            transport.start()
            stack.callback(transport.stop, 0.0)
            return Served(transport, listener.port, stack.enter_context(ExitStack()))

        yield start


@pytest.fixture
def served(serve: Open) -> Served:
    """A transport with the usual limits."""
    return serve()
