"""The transport over grpcio: what one network may hold without a key, and what a drain doesn't wait for."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bothends.server.grpc.contract import Method
from bothends.server.grpc.grpcio import health, streams
from bothends.server.grpc.grpcio.transport import GrpcioListener
from bothends.server.grpc.refusals import statuses
from bothends.settings import Settings
from tests.support.until import TIMEOUT_S, until

from ..conftest import METHODS, Served

REFLECTION = "/test.Service/Reflection"
MOST = 3


@pytest.fixture
def served() -> Iterator[Served]:
    """The transport, with a stream that takes no place, as reflection's."""
    listener = GrpcioListener("127.0.0.1:0", None, Settings())
    transport = listener.serve(
        [*METHODS, Method(REFLECTION, is_stream=True, is_metered=False)],
        headers=[],
        health=[""],
        statuses=statuses(Settings()),
    )
    transport.start()
    with ExitStack() as stack:
        stack.callback(transport.stop, 0.0)
        yield Served(transport, listener.port, stack.enter_context(ExitStack()))


def code(call: Any) -> grpc.StatusCode:
    """Status that a call ends with."""
    error = call.exception(timeout=TIMEOUT_S)
    return grpc.StatusCode.OK if error is None else error.code()


def once(never: threading.Event) -> Iterator[bytes]:
    """Send one message, and then nothing."""
    yield b""
    never.wait(TIMEOUT_S)


def test_a_drain_ends_a_call_whose_request_has_not_come_whole(served: Served) -> None:
    """Callers who were promised nothing are told at once."""
    call = served.open()
    until(lambda: served.transport.figures()["calls"] == 1)
    served.transport.drain()
    assert code(call) == grpc.StatusCode.UNAVAILABLE
    assert served.transport.wait_idle(TIMEOUT_S)


def test_a_drain_does_not_wait_for_a_caller_who_reads_no_reflection(served: Served) -> None:
    """An answer larger than its caller's window stays here until it reads, which may be never."""
    reader = served.connect(("grpc.http2.bdp_probe", 0), ("grpc.max_receive_message_length", -1))
    never = threading.Event()
    call = served.keep(reader.stream_stream(REFLECTION, bytes, bytes)(once(never)))
    (message,) = served.expect(1)
    served.transport.answer([message.id], [bytes(1 << 20)])
    next(iter(call.initial_metadata()), None)  # comes with the first bytes
    assert served.transport.figures()["calls"] == 1
    served.transport.drain()
    assert served.transport.wait_idle(TIMEOUT_S)
    never.set()


def test_one_network_watches_health_so_many_times(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is refused, on whatever connection, until one of them ends; checks are answered all along."""
    monkeypatch.setattr(health, "_WATCHERS_OF_ONE", MOST)
    asked = health_pb2.HealthCheckRequest()
    watches = [served.keep(health_pb2_grpc.HealthStub(served.connect()).Watch(asked)) for _ in range(MOST)]
    for watch in watches:
        next(watch)
    with pytest.raises(grpc.RpcError) as raised:
        next(health_pb2_grpc.HealthStub(served.connect()).Watch(asked, timeout=TIMEOUT_S))
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    health_pb2_grpc.HealthStub(served.channel).Check(asked, timeout=TIMEOUT_S)
    watches[0].cancel()
    until(lambda: _watches(served, asked))


def _watches(served: Served, asked: health_pb2.HealthCheckRequest) -> bool:
    try:
        return next(served.keep(health_pb2_grpc.HealthStub(served.channel).Watch(asked))) is not None
    except grpc.RpcError:
        return False


def test_one_network_has_so_many_streams_without_a_key(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is refused, on whatever connection; streams that pay by a key, and other calls, aren't."""
    monkeypatch.setattr(streams, "_UNMETERED_OF_ONE", MOST)
    never = threading.Event()

    def begin(method: str) -> Any:
        return served.keep(served.connect().stream_stream(method, bytes, bytes)(once(never)))

    held = [begin(REFLECTION) for _ in range(MOST)]
    served.expect(MOST)
    assert code(begin(REFLECTION)) == grpc.StatusCode.RESOURCE_EXHAUSTED
    begin("/test.Service/Stream")
    served.expect(1)
    until(lambda: served.transport.figures()["calls"] == MOST + 1)
    held[0].cancel()
    until(lambda: served.transport.figures()["calls"] == MOST)
    begin(REFLECTION)
    served.expect(1)
    never.set()
