"""Calls through a real channel to a queue of our own on a real gRPC server."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from bothends.server.grpc.call import Call, Requests
from bothends.server.grpc.completion import CallQueue

from .pulling import pulling

TIMEOUT_S = 10
METHOD = "/test.Service/Method"
Serve = Callable[..., grpc.Channel]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve one method by a handler, beside a health service of grpcio's own kind; a channel to it."""
    running = []

    def start(handler: Callable[[Call], None]) -> grpc.Channel:
        server = grpc.server(
            ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", 1 << 16), ("grpc.so_reuseport", 0)]
        )
        queue = CallQueue(server, {METHOD: handler})
        health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        queue.start()
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        running.append((server, queue, channel, pulling(queue)))
        return channel

    yield start
    for server, queue, channel, puller in running:
        channel.close()
        server.stop(None).wait()
        queue.close()
        puller.join(TIMEOUT_S)
        assert not puller.is_alive()


def send(channel: grpc.Channel, content: bytes = b"", **options: object) -> bytes:
    return bytes(channel.unary_unary(METHOD)(content, **options))


def test_an_answer_may_come_from_another_thread(serve: Serve) -> None:
    """The handler has long returned when the answer leaves."""
    with ThreadPoolExecutor(1) as pool:
        channel = serve(lambda call: call.read(lambda content: pool.submit(lambda: call.answer(content[::-1]))))
        assert send(channel, b"dragons") == b"snogard"


def test_many_calls_at_once_get_each_their_own(serve: Serve) -> None:
    channel = serve(lambda call: call.read(call.answer))
    calls = [channel.unary_unary(METHOD).future(str(number).encode()) for number in range(500)]
    assert [call.result() for call in calls] == [str(number).encode() for number in range(500)]


def test_a_failure_carries_code_message_and_details(serve: Serve) -> None:
    status = status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message="voll: später — 100 %")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="FULL"))
    channel = serve(lambda call: call.fail(status))
    with pytest.raises(grpc.RpcError) as raised:
        send(channel)
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert rpc_status.from_call(raised.value) == status


def test_a_deadline_is_a_time_of_this_process(serve: Serve) -> None:
    deadlines: list[float | None] = []

    def handle(call: Call) -> None:
        deadlines.append(call.deadline)
        call.answer(b"")

    channel = serve(handle)
    send(channel)
    send(channel, timeout=100)
    assert deadlines[0] is None
    assert deadlines[1] is not None
    assert 90 < deadlines[1] - time.monotonic() < 110  # gRPC rounds it up by as much as a hundredth


@pytest.mark.parametrize("how", ["cancel", "deadline", "disconnect"])
def test_a_caller_that_leaves_is_heard_of(serve: Serve, how: str) -> None:
    """An answer that comes too late does no harm: the next call is served."""
    arrived, gone, calls = threading.Event(), threading.Event(), []

    def handle(call: Call) -> None:
        if arrived.is_set():
            call.answer(b"served")
            return
        calls.append(call)
        call.on_cancelled(gone.set)
        call.read(lambda content: arrived.set())

    channel = serve(handle)
    other = grpc.insecure_channel(channel._channel.target().decode(), options=[("grpc.use_local_subchannel_pool", 1)])
    leaver = other.unary_unary(METHOD).future(b"", timeout=0.2 if how == "deadline" else None)
    assert arrived.wait(TIMEOUT_S)
    if how == "cancel":
        leaver.cancel()
    elif how == "disconnect":
        other.close()
    assert gone.wait(TIMEOUT_S)
    heard_at_once = threading.Event()
    calls[0].on_cancelled(heard_at_once.set)
    assert heard_at_once.is_set()
    calls[0].answer(b"too late")
    assert send(channel, b"next") == b"served"
    other.close()


def test_an_answered_call_is_not_gone(serve: Serve) -> None:
    left = threading.Event()

    def handle(call: Call) -> None:
        call.on_cancelled(left.set)
        call.read(lambda content: call.answer(b""))

    channel = serve(handle)
    for _ in range(50):
        send(channel)
    assert not left.is_set()


def test_a_handler_that_raises_costs_its_own_call(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """A bug must not stop the queue."""

    def handle(call: Call) -> None:
        if call.deadline is not None:
            raise ValueError
        call.answer(b"served")

    channel = serve(handle)
    with pytest.raises(grpc.RpcError):
        send(channel, b"bug", timeout=0.5)
    assert send(channel) == b"served"
    assert "couldn't be handled" in caplog.text


def test_a_call_knows_how_long_its_request_would_wait(serve: Serve) -> None:
    """The line in which requests wait knows it; a call that comes to an idle queue has no lag."""
    lags: list[float] = []

    def handle(call: Call) -> None:
        lags.append(call.lag_s)
        call.read(lambda content: call.answer(b""))

    channel = serve(handle)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Requests, "lag_s", 7.0)
        send(channel)
    send(channel)
    assert lags == [7.0, 0.0]


def test_what_comes_is_begun_no_faster_than_asked_for(serve: Serve) -> None:
    """Requests for which there is no room stay in line, while calls that need none are handled."""
    begun: list[bytes | None] = []
    refused = status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message="no")

    def handle(call: Call) -> None:
        if call.deadline is None:
            call.read(lambda content: begun.append(content) or call.answer(b""))  # type: ignore[func-returns-value]
        else:
            call.fail(refused)

    server = grpc.server(ThreadPoolExecutor(1), options=[("grpc.so_reuseport", 0)])
    queue = CallQueue(server, {METHOD: handle})
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    queue.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        waiting = [channel.unary_unary(METHOD).future(b"") for _ in range(5)]
        hasty = channel.unary_unary(METHOD).future(b"", timeout=TIMEOUT_S)
        while not hasty.done():
            assert queue.pull(0)
        assert hasty.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert begun == []
        while len(begun) < 3:
            before = len(begun)
            assert queue.pull(1)
            assert len(begun) <= before + 1
        while len(begun) < 5:
            assert queue.pull(64)
        assert [call.result() for call in waiting] == [b""] * 5
    server.stop(None).wait()
    queue.close()
    while queue.pull(0):
        pass


def test_too_large_a_message_is_refused_by_grpc(serve: Serve) -> None:
    """The handler may make anything of the bytes that never come."""

    def handle(call: Call) -> None:
        call.read(lambda content: call.answer(b"none" if content is None else b"%d" % len(content)))

    channel = serve(handle)
    with pytest.raises(grpc.RpcError) as raised:
        send(channel, b"x" * (1 << 17))
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert send(channel, b"x") == b"1"


def test_a_call_whose_request_never_comes(serve: Serve) -> None:
    """A caller that closes its side without a message is told so, not waited for."""
    channel = serve(lambda call: call.read(lambda content: call.answer(b"none" if content is None else content)))
    assert list(channel.stream_stream(METHOD)(iter([]), timeout=TIMEOUT_S)) == [b"none"]


def test_other_services_and_unknown_methods_are_grpcs_own(serve: Serve) -> None:
    channel = serve(lambda call: call.answer(b""))
    checked = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert checked.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary("/test.Service/Nothing")(b"")
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_stopping_waits_for_no_call_that_is_never_answered(serve: Serve) -> None:
    """A stop with a grace of a moment ends beside a call that is never answered; the caller gets an error."""
    server = grpc.server(ThreadPoolExecutor(1), options=[("grpc.so_reuseport", 0)])
    arrived = threading.Event()
    queue = CallQueue(server, {METHOD: lambda call: arrived.set()})
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    queue.start()
    puller = pulling(queue)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(METHOD).future(b"")
        assert arrived.wait(TIMEOUT_S)
        server.stop(0.05).wait()
        queue.close()
        assert call.exception() is not None
    puller.join(TIMEOUT_S)
    assert not puller.is_alive()
