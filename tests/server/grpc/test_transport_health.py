"""The contract that every transport has to keep: health, over real channels."""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.until import TIMEOUT_S, until

from .conftest import Served

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


def health(served: Served, service: str = "") -> int:
    asked = health_pb2.HealthCheckRequest(service=service)
    return int(health_pb2_grpc.HealthStub(served.channel).Check(asked, timeout=TIMEOUT_S).status)


def test_health_is_what_was_said_last(served: Served) -> None:
    """Watchers hear of each change, from any thread; another service isn't here."""
    assert health(served) == NOT_SERVING
    watched = health_pb2_grpc.HealthStub(served.channel).Watch(health_pb2.HealthCheckRequest(service="test.Service"))
    assert next(watched).status == NOT_SERVING
    served.transport.set_serving(True)
    assert next(watched).status == SERVING
    assert health(served, "test.Service") == SERVING
    served.transport.set_serving(False)
    assert next(watched).status == NOT_SERVING
    with pytest.raises(grpc.RpcError) as raised:
        health(served, "another.Service")
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND
    served.transport.set_serving(True)
    served.transport.drain()
    served.transport.set_serving(True)
    until(lambda: health(served) == NOT_SERVING)


def test_a_watcher_that_leaves_holds_up_no_change(served: Served) -> None:
    """Watchers leave in the very moment of a change; the status goes on changing, and checks are answered."""
    stop = threading.Event()

    def watch() -> None:
        with grpc.insecure_channel(f"127.0.0.1:{served.port}") as channel:
            while not stop.is_set():
                call = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
                next(call)
                call.cancel()

    with ThreadPoolExecutor(4) as pool:
        watchers = [pool.submit(watch) for _ in range(4)]
        for turn in range(500):
            served.transport.set_serving(bool(turn % 2))
        until(lambda: health(served) == SERVING)
        stop.set()
        assert [watcher.result(TIMEOUT_S) for watcher in watchers] == [None] * 4
