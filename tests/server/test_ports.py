"""Doors that stand open are said, and nobody who comes by one of them keeps another shut."""

import logging
import queue
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from bothends.model.bundle import Bundle
from bothends.server.ports import open_doors
from bothends.server.server import Server
from bothends.settings import Settings
from tests.support.doors import TIMEOUT_S, connected, serving

TLS = {"tls_cert": Path("c"), "tls_key": Path("k")}
KEYS = {"api_keys": Path("k")}


@pytest.mark.parametrize(
    ("bound_to", "settings", "missing"),
    [
        ("127.0.0.1", {}, []),
        ("127.1.2.3", {}, []),
        ("::1", {}, []),
        ("0.0.0.0", {}, ["--tls-cert", "--api-keys"]),  # noqa: S104  what is warned of
        ("::", {}, ["--tls-cert", "--api-keys"]),
        ("10.0.0.1", TLS, ["--api-keys"]),
        ("10.0.0.1", KEYS, ["--tls-cert"]),
        ("10.0.0.1", TLS | KEYS, []),
        ("10.0.0.1", TLS | {"tls_client_ca": Path("a")}, []),
        ("0.0.0.0", {"published_at": "127.0.0.1"}, []),  # noqa: S104
        ("0.0.0.0", {"published_at": "localhost"}, []),  # noqa: S104
        ("127.0.0.1", {"published_at": "0.0.0.0"}, ["--tls-cert", "--api-keys"]),  # noqa: S104
        ("127.0.0.1", {"published_at": "embedder.example.org"}, ["--tls-cert", "--api-keys"]),
    ],
)
def test_what_is_open_to_others_is_told(bound_to: str, settings: dict[str, object], missing: list[str]) -> None:
    """A line for each, which ends with what to set."""
    warnings = list(open_doors(Settings(**settings), bound_to))
    assert [warning.rsplit(" ", 1)[1] for warning in warnings] == missing


def test_a_start_warns(toy_bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    """Of the address that a container is published at; a start on loopback alone says nothing."""
    for published_at, lines in (("0.0.0.0", 2), (None, 0)):  # noqa: S104
        caplog.clear()
        with serving(toy_bundle, published_at=published_at):
            warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
            assert len(warnings) == lines
            assert all(w.getMessage().startswith("0.0.0.0 is reachable from outside without") for w in warnings)


def test_open_reflection_streams_keep_health_from_nobody(server: Server) -> None:
    """Each may keep a thread; none of them is one of health's."""
    streams = []
    with ExitStack() as stack:
        for _ in range(20):
            channel = stack.enter_context(connected(server))
            never: queue.SimpleQueue[reflection_pb2.ServerReflectionRequest | None] = queue.SimpleQueue()
            stack.callback(never.put, None)
            streams.append(reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(asking(never)))
            grpc.channel_ready_future(channel).result(TIMEOUT_S)
        next(streams[0])
        health = health_pb2_grpc.HealthStub(channel)  # behind a stream on its own connection
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def asking(
    more: "queue.SimpleQueue[reflection_pb2.ServerReflectionRequest | None]",
) -> Iterator[reflection_pb2.ServerReflectionRequest]:
    """A question, and then silence."""
    yield reflection_pb2.ServerReflectionRequest(list_services="")
    while (question := more.get()) is not None:
        yield question
