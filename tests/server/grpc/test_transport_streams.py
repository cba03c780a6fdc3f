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

from bothends.server.grpc.contract import Message, Status, TransportName
from tests.support.until import TIMEOUT_S, until

from .conftest import STREAM, UNARY, Open, Served

Silent = Callable[[float], "tuple[Served, list[Caller]]"]

NO = Status(code_pb2.FAILED_PRECONDITION, "no", b"")


class Caller:
    """A stream's caller. `send` never waits; `receive` does."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._outgoing: SimpleQueue[bytes | None] = SimpleQueue()
        self.call: Any = channel.stream_stream(STREAM, bytes, bytes)(iter(self._outgoing.get, None), timeout=TIMEOUT_S)

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
def begin(served: Served) -> Iterator[Any]:
    callers: list[Caller] = []

    def new(channel: grpc.Channel | None = None) -> Caller:
        callers.append(Caller(channel or served.channel))
        return callers[-1]

    yield new
    for caller in callers:
        caller.call.cancel()
        caller.close()


def numbers(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def test_answers_come_in_order(served: Served, begin: Any) -> None:
    """Whatever was answered first."""
    caller = begin().send(*numbers(20)).close()
    messages = served.expect(20)
    assert [message.content for message in messages] == numbers(20)
    assert {message.method for message in messages} == {1}
    for message in reversed(messages):
        served.echo([message])
    assert caller.to_the_end() == (numbers(20), grpc.StatusCode.OK)
    assert served.ended(1) == [(1, code_pb2.OK, "")]


def test_a_stream_may_pause_and_send_nothing(served: Served, begin: Any) -> None:
    """Each answer comes though nothing more was sent; an end without a message is a good one."""
    caller = begin()
    for content in numbers(3):
        caller.send(content)
        served.echo(served.expect(1))
        assert next(caller.call) == content
    assert caller.close().to_the_end() == ([], grpc.StatusCode.OK)
    assert begin().close().to_the_end() == ([], grpc.StatusCode.OK)


def test_a_stream_is_read_within_its_window(served: Served, begin: Any) -> None:
    """Messages, sentences and bytes are bounded; each that is answered and read lets another in."""
    caller = begin().send(*numbers(100))
    messages = served.expect(32)
    assert served.take_messages(64, 0.2) == []
    served.echo(messages[:1])
    assert next(caller.call) == b"0"
    served.expect(1)
    sentences = b"\n\x01a" * 100
    begin().send(*[sentences] * 10)
    assert len(served.expect(3)) == 3  # the third passes 256 sentences
    large = begin().send(*[bytes(1 << 19)] * 10)
    assert len(served.expect(2)) == 2
    large.call.cancel()


def test_one_connections_streams_have_few_messages_on_their_way(served: Served, begin: Any) -> None:
    """Each stream has one at a time beyond 256 of a connection's; nothing is lost, and each goes on to its end."""
    callers = [begin().send(*numbers(32)).close() for _ in range(12)]
    taken: list[Message] = []
    until(lambda: len(taken.__iadd__(served.take_messages())) >= 256)
    while messages := served.take_messages(64, 0.2):
        taken += messages
    assert len(taken) <= 256 + 11
    served.echo(taken)
    answered = len(taken)
    while answered < 12 * 32:
        served.echo(taken := served.take_messages())
        answered += len(taken)
    assert [caller.to_the_end() for caller in callers] == [(numbers(32), grpc.StatusCode.OK)] * 12


def test_a_message_that_fails_ends_its_stream_in_its_turn(served: Served, begin: Any) -> None:
    """Messages before it are answered; those after it are over at once, and no more is read."""
    caller = begin().send(*numbers(5))
    first, second, third, *later = served.expect(5)
    served.transport.fail([third.id], [NO])
    until(lambda: served.take_messages(0) == [] and sorted(served.over) == [message.id for message in later])
    caller.send(b"too late")
    served.echo([second, first, *later])
    assert caller.to_the_end() == (numbers(2), grpc.StatusCode.FAILED_PRECONDITION)
    assert caller.call.details() == "no"
    assert served.take_messages(64, 0.1) == []
    assert served.ended(1) == [(1, code_pb2.FAILED_PRECONDITION, "")]


def test_a_caller_that_leaves_takes_its_messages_along(served: Served, begin: Any) -> None:
    caller = begin().send(*numbers(5))
    until(lambda: served.transport.figures()["waiting"] == 5)
    taken = served.take_messages(3)
    caller.call.cancel()
    until(lambda: served.take_messages(0) == [] and sorted(served.over) == [message.id for message in taken])
    assert served.take_messages() == []
    assert served.ended(1) == [(1, code_pb2.CANCELLED, "")]


def test_idle_streams_take_no_place(serve: Open) -> None:
    served = serve(max_concurrent_requests=1)
    callers = [Caller(served.channel) for _ in range(5)]
    until(lambda: served.transport.figures()["calls"] == 5)
    call = served.unary(b"in")
    served.echo(served.expect(1))
    assert call.result() == b"in"
    for caller in callers:
        assert caller.close().to_the_end() == ([], grpc.StatusCode.OK)


def test_a_drain_answers_what_was_read_and_ends_streams(served: Served, begin: Any) -> None:
    """An idle one ends at once, a newcomer isn't let in, and a busy one ends after what was read of it."""
    idle, busy = begin(), begin().send(*numbers(5))
    messages = served.expect(5)
    until(lambda: served.transport.figures()["calls"] == 2)
    served.transport.drain()
    busy.send(b"too late")
    for caller in (idle, begin()):
        assert caller.to_the_end() == ([], grpc.StatusCode.UNAVAILABLE)
    served.echo(messages)
    assert busy.to_the_end() == (numbers(5), grpc.StatusCode.UNAVAILABLE)
    assert served.transport.wait_idle(TIMEOUT_S)
    assert [(method, code) for method, code, _ in served.ended(3)] == [(1, code_pb2.UNAVAILABLE)] * 3


def test_a_caller_that_reads_nothing_is_read_no_further(served: Served) -> None:
    """Memory isn't filled with answers that nobody reads; once they are read, all come in order."""
    caller = Caller(served.connect(("grpc.http2.bdp_probe", 0)))
    caller.send(*[b"%d " % number + bytes(1 << 15) for number in range(200)]).close()
    answered = 0

    def answer(wait_s: float) -> int:
        nonlocal answered
        messages = served.take_messages(64, wait_s)
        served.echo(messages)
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

    def opened(caller_timeout_s: float) -> tuple[Served, list[Caller]]:
        served, callers = serve(max_concurrent_requests=1, caller_timeout_s=caller_timeout_s), []
        for number in range(1, 9):
            callers.append(Caller(served.channel))
            until(lambda: served.transport.figures()["calls"] == number)  # noqa: B023  called here
        return served, callers

    return opened


def test_no_more_streams_are_open_than_eight_for_each_call(silent: Silent) -> None:
    served, callers = silent(3600.0)
    assert Caller(served.channel).to_the_end() == ([], grpc.StatusCode.RESOURCE_EXHAUSTED)
    for caller in callers:
        assert caller.close().to_the_end() == ([], grpc.StatusCode.OK)
    assert {reason for _, code, reason in served.ended(9) if code} == {"full"}


def test_silent_streams_give_way_to_others(silent: Silent) -> None:
    """The one whose caller did nothing for longest makes room."""
    served, (first, *others) = silent(0.5)
    time.sleep(0.6)
    late = Caller(served.channel).send(b"here")
    served.echo(served.expect(1))
    assert next(late.call) == b"here"
    assert first.to_the_end() == ([], grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert "sent or read nothing for 0.5 s" in first.call.details()
    for caller in others:
        assert caller.close().to_the_end() == ([], grpc.StatusCode.OK)
    assert {reason for _, code, reason in served.ended(8) if code} == {"unread"}
    late.call.cancel()


def test_unary_calls_and_streams_share_a_connection(served: Served, begin: Any) -> None:
    caller = begin().send(b"stream")
    call = served.channel.unary_unary(UNARY, bytes, bytes).future(b"unary", timeout=TIMEOUT_S)
    served.echo(served.expect(2))
    assert (next(caller.call), call.result()) == (b"stream", b"unary")
