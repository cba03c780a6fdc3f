"""Health and reflection of a plain gRPC server."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from bothends.server.grpc.standard import Health, add_reflection

TIMEOUT_S = 30
SERVICE = "a.Service"
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def served() -> Iterator[tuple[Health, str]]:
    server = grpc.server(ThreadPoolExecutor(4))
    health = Health(server, [SERVICE])
    add_reflection(server, [SERVICE])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield health, f"127.0.0.1:{port}"
    server.stop(None).wait()


def status_of(channel: grpc.Channel, service: str = SERVICE) -> int:
    asked = health_pb2.HealthCheckRequest(service=service)
    return int(health_pb2_grpc.HealthStub(channel).Check(asked, timeout=TIMEOUT_S).status)


def test_a_drained_server_serves_no_more(served: tuple[Health, str]) -> None:
    """A model that becomes fit while the server stops changes nothing."""
    health, target = served
    with grpc.insecure_channel(target) as channel:
        health.set_fit(True)
        assert [status_of(channel, service) for service in ("", SERVICE)] == [SERVING, SERVING]
        health.drain()
        health.set_fit(True)
        assert [status_of(channel, service) for service in ("", SERVICE)] == [NOT_SERVING, NOT_SERVING]


def test_a_watcher_that_leaves_holds_up_no_change(served: tuple[Health, str]) -> None:
    """Watchers leave in the very moment of a change; the status goes on changing, and checks are answered."""
    health, target = served
    health.set_fit(True)
    stop = threading.Event()

    def watch() -> None:
        with grpc.insecure_channel(target) as channel:
            while not stop.is_set():
                call = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE))
                next(call)
                call.cancel()

    with ThreadPoolExecutor(9) as pool:
        watchers = [pool.submit(watch) for _ in range(8)]
        changed = pool.submit(lambda: [health.set_fit(bool(turn % 2)) for turn in range(2000)])
        try:
            changed.result(TIMEOUT_S)
            with grpc.insecure_channel(target) as channel:
                assert status_of(channel) == SERVING
        finally:
            stop.set()
        assert [watcher.result(TIMEOUT_S) for watcher in watchers] == [None] * 8


def test_reflection_names_every_service(served: tuple[Health, str]) -> None:
    """A caller that keeps its stream open keeps health from nobody."""
    health, target = served
    health.set_fit(True)
    done = threading.Event()

    def requests() -> Iterator[reflection_pb2.ServerReflectionRequest]:
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        done.wait(TIMEOUT_S)

    with grpc.insecure_channel(target) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        opened = [stub.ServerReflectionInfo(requests()) for _ in range(20)]  # more than there are threads of any kind
        names = {service.name for service in next(opened[0]).list_services_response.service}
        assert names >= {SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
        assert status_of(channel) == SERVING
        done.set()
