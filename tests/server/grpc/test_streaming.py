"""Calls of many messages through a real channel to a queue of our own."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.rpc import code_pb2, status_pb2
from grpc_status import rpc_status

from bothends.server.grpc.call import Call
from bothends.server.grpc.completion import CallQueue
from bothends.server.grpc.streaming import Stream

from .pulling import pulling

TIMEOUT_S = 10
STREAM, UNARY = "/test.Service/Stream", "/test.Service/Unary"
FULL = status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message="voll")
Serve = Callable[..., grpc.Channel]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve one stream by a handler, beside a unary method that answers how long a request would wait."""
    running: list[tuple[grpc.Server, CallQueue, grpc.Channel, threading.Thread]] = []

    def start(handler: Callable[[Stream], None]) -> grpc.Channel:
        server = grpc.server(ThreadPoolExecutor(1), options=[("grpc.so_reuseport", 0)])

        def lag(call: Call) -> None:
            call.read(lambda content: call.answer(str(call.lag_s).encode()))

        queue = CallQueue(server, {UNARY: lag}, {STREAM: handler})
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        queue.start()
        channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.http2.bdp_probe", 0)])
        running.append((server, queue, channel, pulling(queue)))
        return channel

    yield start
    for server, queue, channel, puller in running:
        channel.close()
        server.stop(None).wait()
        queue.close()
        puller.join(TIMEOUT_S)
        assert not puller.is_alive()


def call(channel: grpc.Channel, requests: Iterator[bytes], **options: Any) -> Any:
    return channel.stream_stream(STREAM)(requests, **options)


def echo(stream: Stream) -> None:
    """Each message back, one after another; the end to the end."""

    def came(content: bytes | None) -> None:
        if content is None:
            stream.end()
        else:
            stream.send(content, lambda: stream.read(came))

    stream.read(came)


def test_messages_go_back_and_forth(serve: Serve) -> None:
    """Messages come, as many as there are, in order; a stream of none ends well too."""
    channel = serve(echo)
    for size in (0, 1, 500):
        messages = [str(number).encode() for number in range(size)]
        assert list(call(channel, iter(messages))) == messages


def test_an_answer_is_the_last_message(serve: Serve) -> None:
    channel = serve(lambda stream: stream.read(lambda content: stream.send(b"first", lambda: stream.answer(b"last"))))
    assert list(call(channel, iter([b""]))) == [b"first", b"last"]


@pytest.mark.parametrize("sent", [0, 1])
def test_a_failure_comes_after_what_is_on_its_way(serve: Serve, sent: int) -> None:
    """The failure is sent in the same moment, and the caller has not read yet."""

    def handle(stream: Stream) -> None:
        def came(content: bytes | None) -> None:
            if sent:
                stream.send(b"x" * 1_000_000, lambda: None)
            stream.fail(FULL)

        stream.read(came)

    responses = call(serve(handle), iter([b""]), timeout=TIMEOUT_S)
    assert [len(next(responses)) for _ in range(sent)] == [1_000_000] * sent
    with pytest.raises(grpc.RpcError) as raised:
        next(responses)
    assert rpc_status.from_call(raised.value) == FULL


def test_a_stream_may_be_refused_unread(serve: Serve) -> None:
    responses = call(serve(lambda stream: stream.fail(FULL)), iter([b"unread"]), timeout=TIMEOUT_S)
    assert responses.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert rpc_status.from_call(responses) == FULL


def test_a_caller_that_does_not_read_holds_back_the_sender(serve: Serve) -> None:
    """A send is done only once it is on the wire, and the next message isn't taken before it was asked for."""
    sent, asked = threading.Semaphore(0), []

    def handle(stream: Stream) -> None:
        def came(content: bytes | None) -> None:
            asked.append(content)
            stream.send(b"x" * 1_000_000, lambda: (sent.release(), stream.read(came)))

        stream.read(came)

    responses = call(serve(handle), iter([b"1", b"2", b"3"]), timeout=TIMEOUT_S)
    assert not sent.acquire(timeout=0.5)
    assert asked == [b"1"]
    assert len(next(responses)) == 1_000_000
    assert sent.acquire(timeout=TIMEOUT_S)
    responses.cancel()


@pytest.mark.parametrize("how", ["cancel", "deadline"])
def test_a_caller_that_leaves_is_heard_of(serve: Serve, how: str) -> None:
    """The next message is awaited when it leaves; what is sent to it all the same does no harm."""
    gone = threading.Event()
    streams: list[Stream] = []

    def handle(stream: Stream) -> None:
        streams.append(stream)
        stream.on_cancelled(gone.set)
        stream.read(lambda content: stream.send(b"hello", lambda: stream.read(lambda content: None)))

    def silent() -> Iterator[bytes]:
        yield b""
        gone.wait(TIMEOUT_S)

    channel = serve(handle)
    responses = call(channel, silent(), timeout=0.3 if how == "deadline" else None)
    assert next(responses) == b"hello"
    if how == "cancel":
        responses.cancel()
    assert gone.wait(TIMEOUT_S)
    streams[0].send(b"too late", lambda: None)
    streams[0].end()
    channel.unary_unary(UNARY)(b"")


def test_a_silent_stream_is_ahead_of_no_request(serve: Serve) -> None:
    """A request that comes now waits for those that have come, not for messages that may come in an hour."""
    asked, over = threading.Semaphore(0), threading.Event()

    def handle(stream: Stream) -> None:
        stream.read(lambda content: stream.end())
        asked.release()

    def silent() -> Iterator[bytes]:
        over.wait(TIMEOUT_S)
        yield from ()

    channel = serve(handle)
    ask = channel.unary_unary(UNARY)
    for one in [ask.future(b"") for _ in range(100)]:
        one.result()  # a request takes time, as is known now
    calls = [call(channel, silent()) for _ in range(10)]
    for _ in calls:
        assert asked.acquire(timeout=TIMEOUT_S)
    assert float(ask(b"")) == 0
    over.set()
    assert [list(one) for one in calls] == [[]] * 10
