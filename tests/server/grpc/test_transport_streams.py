"""The contract that every transport has to keep: streams, over real channels."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from google.rpc import code_pb2

from bothends.server.grpc.contract import Limits, Message, TransportName
from tests.support.until import TIMEOUT_S, until

from .conftest import STREAM, UNARY, Desk, Open

Silent = Callable[[float], "tuple[Desk, list[Caller]]"]

NO: tuple[int, str, bytes] = (code_pb2.FAILED_PRECONDITION, "no", b"")


class Caller:
    """A stream's caller. `send` never waits; `receive` does."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._outgoing: SimpleQueue[bytes | None] = SimpleQueue()
        self.call: Any = channel.stream_stream(STREAM)(iter(self._outgoing.get, None), timeout=TIMEOUT_S)

    def send(self, *contents: bytes) -> "Caller":
        for content in contents:
            self._outgoing.put(content)
        return self

    def close(self) -> "Caller":
        self._outgoing.put(None)
        return self

    def to_the_end(self) -> tuple[list[bytes], grpc.StatusCode]:
        """All answers, and the code after them."""
        found: list[bytes] = []
        with suppress(grpc.RpcError):
            found.extend(self.call)
        return found, self.call.code()


@pytest.fixture
def begin(desk: Desk) -> Iterator[Any]:
    callers: list[Caller] = []

    def new(channel: grpc.Channel | None = None) -> Caller:
        callers.append(Caller(channel or desk.channel))
        return callers[-1]

    yield new
    for caller in callers:
        caller.call.cancel()
        caller.close()


def numbers(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def test_answers_come_in_order(desk: Desk, begin: Any) -> None:
    """Whatever was answered first."""
    caller = begin().send(*numbers(20)).close()
    messages = desk.expect(20)
    assert [message.content for message in messages] == numbers(20)
    assert {message.method for message in messages} == {1}
    for message in reversed(messages):
        desk.echo([message])
    assert caller.to_the_end() == (numbers(20), grpc.StatusCode.OK)
    assert desk.ended(1) == [(1, code_pb2.OK, "")]


def test_a_stream_may_pause_and_send_nothing(desk: Desk, begin: Any) -> None:
    """Each answer comes though nothing more was sent; an end without a message is a good one."""
    caller = begin()
    for content in numbers(3):
        caller.send(content)
        desk.echo(desk.expect(1))
        assert next(caller.call) == content
    assert caller.close().to_the_end() == ([], grpc.StatusCode.OK)
    assert begin().close().to_the_end() == ([], grpc.StatusCode.OK)


def test_a_stream_is_read_within_its_window(desk: Desk, begin: Any) -> None:
    """Messages, sentences and bytes are bounded; each that is answered and read lets another in."""
    limits = Limits.__dataclass_fields__
    caller = begin().send(*numbers(100))
    window = limits["window_messages"].default
    messages = desk.expect(window)
    assert desk.take(64, 0.2) == []
    desk.echo(messages[:1])
    assert next(caller.call) == b"0"
    desk.expect(1)
    sentences = b"\n\x01a" * 100
    begin().send(*[sentences] * 10)
    assert len(desk.expect(3)) == 3  # the third passes 256 sentences
    large = begin().send(*[bytes(1 << 19)] * 10)
    assert len(desk.expect(2)) == 2
    large.call.cancel()


def test_one_connections_streams_have_few_messages_on_their_way(desk: Desk, begin: Any) -> None:
    """Each stream has one at a time beyond 256 of a connection's; nothing is lost, and each goes on to its end."""
    callers = [begin().send(*numbers(32)).close() for _ in range(12)]
    taken: list[Message] = []
    until(lambda: len(taken.__iadd__(desk.take())) >= 256)
    while messages := desk.take(64, 0.2):
        taken += messages
    assert len(taken) <= 256 + 11
    desk.echo(taken)
    answered = len(taken)
    while answered < 12 * 32:
        desk.echo(taken := desk.take())
        answered += len(taken)
    assert [caller.to_the_end() for caller in callers] == [(numbers(32), grpc.StatusCode.OK)] * 12


def test_a_message_that_fails_ends_its_stream_in_its_turn(desk: Desk, begin: Any) -> None:
    """Messages before it are answered; those after it are over at once, and no more is read."""
    caller = begin().send(*numbers(5))
    first, second, third, *later = desk.expect(5)
    desk.transport.fail([third.id], [NO])
    until(lambda: desk.take(0) == [] and sorted(desk.over) == [message.id for message in later])
    caller.send(b"too late")
    desk.echo([second, first, *later])
    assert caller.to_the_end() == (numbers(2), grpc.StatusCode.FAILED_PRECONDITION)
    assert caller.call.details() == "no"
    assert desk.take(64, 0.1) == []
    assert desk.ended(1) == [(1, code_pb2.FAILED_PRECONDITION, "")]


def test_a_caller_that_leaves_takes_its_messages_along(desk: Desk, begin: Any) -> None:
    caller = begin().send(*numbers(5))
    until(lambda: desk.transport.figures()["waiting"] == 5)
    taken = desk.take(3)
    caller.call.cancel()
    until(lambda: desk.take(0) == [] and sorted(desk.over) == [message.id for message in taken])
    assert desk.take() == []
    assert desk.ended(1) == [(1, code_pb2.CANCELLED, "")]


def test_idle_streams_take_no_place(serve: Open) -> None:
    desk = serve(max_calls=1)
    callers = [Caller(desk.channel) for _ in range(5)]
    until(lambda: desk.transport.figures()["calls"] == 5)
    call = desk.unary(b"in")
    desk.echo(desk.expect(1))
    assert call.result() == b"in"
    for caller in callers:
        assert caller.close().to_the_end() == ([], grpc.StatusCode.OK)


def test_a_drain_answers_what_was_read_and_ends_streams(desk: Desk, begin: Any) -> None:
    """An idle one ends at once, a newcomer isn't let in, and a busy one ends after what was read of it."""
    idle, busy = begin(), begin().send(*numbers(5))
    messages = desk.expect(5)
    until(lambda: desk.transport.figures()["calls"] == 2)
    desk.transport.drain()
    busy.send(b"too late")
    for caller in (idle, begin()):
        assert caller.to_the_end() == ([], grpc.StatusCode.UNAVAILABLE)
    desk.echo(messages)
    assert busy.to_the_end() == (numbers(5), grpc.StatusCode.UNAVAILABLE)
    assert desk.transport.wait_idle(TIMEOUT_S)
    assert [(method, code) for method, code, _ in desk.ended(3)] == [(1, code_pb2.UNAVAILABLE)] * 3


def test_a_caller_that_reads_nothing_is_read_no_further(desk: Desk) -> None:
    """Memory isn't filled with answers that nobody reads; once they are read, all come in order."""
    caller = Caller(desk.connect(("grpc.http2.bdp_probe", 0)))
    caller.send(*[b"%d " % number + bytes(1 << 15) for number in range(200)]).close()
    answered = 0

    def answer(wait_s: float) -> int:
        nonlocal answered
        messages = desk.take(64, wait_s)
        desk.echo(messages)
        answered += len(messages)
        return len(messages)

    until(lambda: answered > 0 and answer(0.5) == 0 if answered else answer(0.05) < 0)
    assert answered < 150
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            answer(0.05)

    answering = threading.Thread(target=go_on)
    answering.start()
    found, code = caller.to_the_end()
    stop.set()
    answering.join(TIMEOUT_S)
    assert [int(content.split()[0]) for content in found] == list(range(200))
    assert code == grpc.StatusCode.OK


@pytest.fixture
def silent(serve: Open, name: TransportName) -> Silent:
    """Open the eight streams that a transport over grpcio has room for, whose callers do nothing; in order."""
    if name != "grpcio":
        pytest.skip("bounds them by connection")

    def opened(handshake_s: float) -> tuple[Desk, list[Caller]]:
        desk, callers = serve(max_calls=1, handshake_s=handshake_s), []
        for number in range(1, 9):
            callers.append(Caller(desk.channel))
            until(lambda number=number: desk.transport.figures()["calls"] == number)
        return desk, callers

    return opened


def test_no_more_streams_are_open_than_eight_for_each_call(silent: Silent) -> None:
    desk, callers = silent(3600.0)
    assert Caller(desk.channel).to_the_end() == ([], grpc.StatusCode.RESOURCE_EXHAUSTED)
    for caller in callers:
        assert caller.close().to_the_end() == ([], grpc.StatusCode.OK)
    assert {reason for _, code, reason in desk.ended(9) if code} == {"full"}


def test_silent_streams_give_way_to_others(silent: Silent) -> None:
    """The one whose caller did nothing for longest makes room."""
    desk, (first, *others) = silent(0.5)
    time.sleep(0.6)
    late = Caller(desk.channel).send(b"here")
    desk.echo(desk.expect(1))
    assert next(late.call) == b"here"
    assert first.to_the_end() == ([], grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert "sent or read nothing for 0.5 s" in first.call.details()
    for caller in others:
        assert caller.close().to_the_end() == ([], grpc.StatusCode.OK)
    assert {reason for _, code, reason in desk.ended(8) if code} == {"unread"}
    late.call.cancel()


def test_unary_calls_and_streams_share_a_connection(desk: Desk, begin: Any) -> None:
    caller = begin().send(b"stream")
    call = desk.channel.unary_unary(UNARY).future(b"unary", timeout=TIMEOUT_S)
    desk.echo(desk.expect(2))
    assert (next(caller.call), call.result()) == (b"stream", b"unary")
