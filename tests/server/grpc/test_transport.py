"""The contract that every transport has to keep: unary calls, over real channels."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from bothends.server.grpc.contract import TransportName
from bothends.server.grpc.refusals import prepared
from tests.support.until import TIMEOUT_S, until

from .conftest import PROBE, STREAM, UNARY, Open, Served

OK, CANCELLED, INVALID, DEADLINE, EXHAUSTED, UNAVAILABLE = (
    code_pb2.OK,
    code_pb2.CANCELLED,
    code_pb2.INVALID_ARGUMENT,
    code_pb2.DEADLINE_EXCEEDED,
    code_pb2.RESOURCE_EXHAUSTED,
    code_pb2.UNAVAILABLE,
)


def code_of(call: Any) -> int:
    """The code with which a call ends."""
    error = call.exception(timeout=TIMEOUT_S)
    return OK if error is None else int(error.code().value[0])


def retry_of(call: Any) -> float:
    """Seconds after which a refused call may come again."""
    status = rpc_status.from_call(call)
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in status.details)
    return float(retry.retry_delay.ToNanoseconds() / 1e9)


def test_many_calls_get_each_their_own_answer(served: Served) -> None:
    """Any thread may answer, any number at once."""
    calls = [served.unary(str(number).encode()) for number in range(200)]
    messages = served.expect(200)
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, 200, 10):
            pool.submit(served.echo, messages[start : start + 10])
    assert [call.result() for call in calls] == [str(number).encode() for number in range(200)]
    assert served.transport.ended() == []


def test_a_message_says_what_came_with_its_call(served: Served) -> None:
    """The headers that are wanted and no other; times of this process; one number for each connection."""
    other = served.connect()
    before = time.monotonic()
    calls = [
        served.unary(b"a", metadata=(("wanted", "x"), ("other", "y")), timeout=100),
        served.unary(b"b", timeout=None),
        other.unary_unary(UNARY, bytes, bytes).future(b"c"),
    ]
    first, second, third = sorted(served.expect(3), key=lambda message: message.content)
    after = time.monotonic()
    assert tuple(first.metadata) == (("wanted", "x"),)
    assert tuple(second.metadata) == ()
    assert first.deadline is not None
    assert before + 99 < first.deadline < after + 101  # gRPC rounds what remains
    assert second.deadline is None
    assert first.caller == second.caller != third.caller
    assert all(before <= message.arrived <= after for message in (first, second, third))
    assert {first.method, second.method, third.method} == {0}
    served.echo([first, second, third])
    assert all(code_of(call) == OK for call in calls)


def test_a_failure_carries_code_message_and_details(served: Served) -> None:
    status = status_pb2.Status(code=EXHAUSTED, message="voll: später — 100 %")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="FULL"))
    call = served.unary()
    (message,) = served.expect(1)
    served.transport.fail([message.id], [prepared(status)])
    assert code_of(call) == EXHAUSTED
    assert rpc_status.from_call(call) == status
    assert served.transport.ended() == []


@pytest.mark.parametrize("how", ["cancel", "deadline", "disconnect"])
def test_a_caller_that_leaves_is_heard_of(served: Served, how: str) -> None:
    """A message that was taken is over, and an answer to it does no harm; one that wasn't is never taken."""
    other = served.connect()
    taken, message = served.begun(other, 0.3 if how == "deadline" else None)
    if how == "cancel":
        taken.cancel()
    elif how == "disconnect":
        other.close()
    until(lambda: served.take_messages(0) == [] and served.over == [message.id])
    if how == "cancel":
        other.close()
    ((method, code, reason),) = served.ended(1)
    assert (method, reason) == (0, "")
    assert code == CANCELLED or (code == DEADLINE and how == "deadline")  # a caller gives up in the same moment
    served.echo([message])
    call = served.unary(b"next")
    served.echo(served.expect(1))
    assert call.result() == b"next"


def test_callers_take_turns(served: Served, name: TransportName) -> None:
    """One of each connection, however many wait before it.

    Reading a call is charged to its caller, and takes what the machine makes of it: so the other is connected before
    anything waits, and each message counts for a hundred milliseconds, which no reading takes.
    """
    if name == "grpcio":
        pytest.skip("has no turns")
    many, one, other = b"m" * 100_000, b"one", served.connect()
    for channel in (served.channel, other):
        grpc.channel_ready_future(channel).result(TIMEOUT_S)
    for number in range(5):
        served.unary(many)
        until(lambda: served.transport.figures()["waiting"] == number + 1)  # noqa: B023  called here
    served.keep(other.unary_unary(UNARY, bytes, bytes).future(one))
    until(lambda: served.transport.figures()["waiting"] == 6)
    assert {message.content for message in served.take_messages(2)} == {many, one}
    assert [message.content for message in served.take_messages()] == [many] * 4


def test_no_more_is_taken_than_asked_for(served: Served) -> None:
    for _ in range(3):
        served.unary()
    until(lambda: served.transport.figures()["waiting"] == 3)
    assert [len(served.take_messages(most)) for most in (0, 2, 0, 2)] == [0, 2, 0, 1]


def test_a_call_over_the_limit_is_refused_unread(serve: Open) -> None:
    """Another has room once one is answered; probes need none."""
    served = serve(max_concurrent_requests=2, caller_timeout_s=3600.0)
    served.open()
    until(lambda: served.transport.figures()["slots"] == 1)  # else it may come last, and be the one that is refused
    waiting = served.unary()
    (message,) = served.expect(1)
    refused = served.open()
    assert code_of(refused) == EXHAUSTED
    assert "2 requests are in progress" in refused.details()
    assert retry_of(refused) > 0
    assert served.ended(1) == [(0, EXHAUSTED, "full")]
    probe = served.unary(b"alive?", method=PROBE)
    (asked,) = served.take_messages(0, TIMEOUT_S)
    served.echo([asked])
    assert probe.result() == b"alive?"
    served.echo([message])
    assert code_of(waiting) == OK
    call = served.unary()
    served.echo(served.expect(1))
    assert code_of(call) == OK


def test_a_request_that_does_not_come_gives_way(serve: Open) -> None:
    """The oldest one, once it had its time, and only where its place is needed."""
    served = serve(max_concurrent_requests=1, caller_timeout_s=0.3)
    grpc.channel_ready_future(served.channel).result(TIMEOUT_S)
    slow = served.open()
    until(lambda: served.transport.figures()["slots"] == 1)
    time.sleep(0.4)
    assert not slow.done()
    call = served.unary(b"quick")
    served.echo(served.expect(1))
    assert call.result() == b"quick"
    assert code_of(slow) == INVALID
    assert "didn't come within 0.3 s" in slow.details()
    assert [reason for _, _, reason in served.ended(1)] == ["slow"]


def test_what_is_no_call_of_ours_is_told(serve: Open) -> None:
    """An unknown method, a message over the limit, none at all: each ends, and the next call is served."""
    served = serve(max_message_bytes=1024)
    assert code_of(served.unary(method="/test.Service/Nothing")) == code_pb2.UNIMPLEMENTED
    large = served.unary(b"x" * 1025)
    assert code_of(large) == EXHAUSTED
    assert "larger than max" in large.details()
    assert code_of(served.channel.stream_unary(UNARY).future(iter(()), timeout=TIMEOUT_S)) in (
        INVALID,
        code_pb2.INTERNAL,
    )
    call = served.unary(b"x" * 1024)
    served.echo(served.expect(1))
    assert len(call.result()) == 1024


def test_a_drain_refuses_newcomers_and_answers_what_came(served: Served) -> None:
    """Messages that wait and those that were taken are answered; a probe too; then it is idle."""
    calls = [served.unary(b"taken")]
    messages = served.expect(1)
    calls.append(served.unary(b"waiting"))
    until(lambda: served.transport.figures()["waiting"] == 1)
    served.transport.drain()
    assert code_of(served.unary()) == UNAVAILABLE
    assert served.transport.quiet_s() < TIMEOUT_S
    assert not served.transport.wait_idle(0.05)
    probe = served.unary(method=PROBE)
    served.echo([*messages, *served.expect(2)])
    assert [code_of(call) for call in (*calls, probe)] == [OK] * 3
    assert served.transport.wait_idle(TIMEOUT_S)
    assert served.ended(1) == [(0, UNAVAILABLE, "draining")]


def test_answers_that_are_not_read_yet_are_waited_for(served: Served) -> None:
    """The transport isn't idle before every byte is with its caller."""
    reader = served.connect(("grpc.http2.bdp_probe", 0), ("grpc.max_receive_message_length", -1))
    begin = reader.unary_stream(UNARY, bytes, bytes)
    responses = begin(b"", timeout=TIMEOUT_S)  # which takes an answer when it is asked for
    (message,) = served.expect(1)
    served.transport.answer([message.id], [bytes(1 << 20)])
    served.transport.drain()
    next(iter(responses.initial_metadata()), None)  # comes with the first bytes
    assert not served.transport.wait_idle(0.2)
    assert len(next(responses)) == 1 << 20
    assert served.transport.wait_idle(TIMEOUT_S)


def test_a_stop_ends_what_is_open(served: Served) -> None:
    """Calls and streams that nobody ends don't hold it up; whoever waits for messages is let go."""
    call = served.unary(timeout=None)
    served.expect(1)
    never = threading.Event()
    stream = served.channel.stream_stream(STREAM, bytes, bytes)(iter(never.wait, True))
    until(lambda: served.transport.figures()["calls"] == 2)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(served.transport.take_messages, 64, TIMEOUT_S)
        served.transport.stop(0.05)
        assert code_of(call) != OK
        assert stream.code() != grpc.StatusCode.OK
        until(lambda: waiting.done() or served.transport.take_messages(0, 0.0) is None)
        assert served.transport.take_messages(64, TIMEOUT_S) is None
    never.set()
