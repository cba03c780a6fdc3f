"""The application on Ray, and a server of `bothends serve` beside it with the same settings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from bothends.server.keys import new
from bothends.wire.messages import SERVICE
from tests.support.serving import Running, finish, start

from .cluster import Cluster


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """An API key, and the file that lets its holder in."""
    made, entry = new("tests")
    file = tmp_path_factory.mktemp("keys") / "keys.toml"
    file.write_text(entry)
    return made, file


@pytest.fixture(scope="session")
def cluster(key: tuple[str, Path]) -> Iterator[Cluster]:
    """Two replicas of half a core, of the packaged model."""
    arguments = {"min_replicas": 2, "max_replicas": 2, "cpus": 0.5}
    running = Cluster(arguments, api_keys=key[1], max_message_bytes=1 << 20)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def direct(key: tuple[str, Path]) -> Iterator[Running]:
    """A server of `bothends serve` with the same settings, without Ray."""
    running = start("--api-keys", str(key[1]), "--max-message-bytes", str(1 << 20), "--workers", "1")
    yield running
    finish(running)


@dataclass(frozen=True)
class Reply:
    """A call's outcome for its caller: bytes, or a status with its details."""

    content: bytes = b""
    code: grpc.StatusCode = grpc.StatusCode.OK
    message: str | None = ""
    details: bytes = b""


Call = Callable[..., Reply]


def calling(target: str, key: str) -> Call:
    """Yield calls of `method` with a request's bytes, on a connection of their own."""
    channel = grpc.insecure_channel(target, options=[("grpc.max_receive_message_length", -1)])

    def call(method: str, request: bytes, *, key: str = key, timeout: float = 30) -> Reply:
        metadata = (("authorization", f"Bearer {key}"),) if key else ()
        try:
            send = channel.unary_unary(f"/{SERVICE}/{method}", bytes, bytes)
            return Reply(send(request, metadata=metadata, timeout=timeout))
        except grpc.RpcError as error:
            trailing: dict[str, Any] = {each.key: each.value for each in error.trailing_metadata() or ()}
            return Reply(b"", error.code(), error.details(), trailing.get("grpc-status-details-bin", b""))

    return call


@pytest.fixture(scope="session")
def on_ray(cluster: Cluster, key: tuple[str, Path]) -> Call:
    """Calls through Ray's proxy."""
    return calling(cluster.target, key[0])


@pytest.fixture(scope="session")
def without(direct: Running, key: tuple[str, Path]) -> Call:
    """Calls of the server without Ray."""
    return calling(direct.target, key[0])
