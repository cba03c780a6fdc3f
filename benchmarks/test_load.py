"""The load generator against a server that shows what it is sent: bodies, refusals and their details."""

import json
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import click
import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from load.build import GENERATOR, build
from loads import Load

_FULL = 8


@pytest.fixture(scope="module", autouse=True)
def generator() -> None:
    """Build it, or skip where that can't be."""
    try:
        build()
    except click.ClickException as missing:
        pytest.skip(missing.message)


class Full(grpc.GenericRpcHandler):
    """A service that keeps what it was sent and by whom, and says of every other call when to come again."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, bytes]] = []
        self.peers: set[str] = set()

    def service(self, details: Any) -> Any:
        """Return one handler for every method."""

        def handle(request: bytes, context: grpc.ServicerContext) -> bytes:
            self.requests.append((details.method, request))
            self.peers.add(context.peer())
            if len(self.requests) % 2:
                return bytes(8)
            status = status_pb2.Status(code=_FULL, message="full")
            status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=Duration(seconds=1)))
            context.abort_with_status(rpc_status.to_status(status))
            raise AssertionError

        return grpc.unary_unary_rpc_method_handler(handle)


@pytest.fixture
def full() -> Iterator[tuple[int, Full]]:
    """A server's port, and its service."""
    service, server = Full(), grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port, service
    server.stop(None).wait()


def run(port: int, tmp_path: Path, load: Load, *flags: str) -> dict[str, Any]:
    """Send two sentences in turn for a moment; return what the generator found."""
    bodies = tmp_path / "bodies.txt"
    bodies.write_text("one\nthe other\n", encoding="utf-8")
    command = [str(GENERATOR), "--port", str(port), "--bodies", str(bodies), "--warmup", "0", "--seconds", "0.3"]
    answered = subprocess.run([*command, *load.flags(), *flags], capture_output=True, check=True, timeout=60)
    found: dict[str, Any] = json.loads(answered.stdout)
    return found


@pytest.mark.slow
def test_refusals_that_say_when_to_come_again_are_counted(full: tuple[int, Full], tmp_path: Path) -> None:
    found = run(full[0], tmp_path, Load("x", concurrency=1))
    assert found["refused"] > 0
    assert found["retry_infos"] == {str(_FULL): found["refused"]}
    assert found["statuses"] == {"0": found["ok"], str(_FULL): found["refused"]}


class Echo(BaseHTTPRequestHandler):
    """A service over HTTP/1.1 that keeps what it was sent, and answers in chunks, by length, or refuses, in turn."""

    protocol_version = "HTTP/1.1"
    connections: list[Any]
    requests: list[tuple[str, dict[str, str], bytes]]
    turns: Iterator[int]

    def setup(self) -> None:
        """Count the connection."""
        super().setup()
        self.connections.append(self.client_address)

    def do_POST(self) -> None:
        """Answer."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.requests.append((self.path, dict(self.headers), body))
        kind = next(self.turns) % 3
        self.send_response(429 if kind == 0 else 200)
        self.send_header(*(("transfer-encoding", "chunked") if kind == 1 else ("Content-Length", "100")))
        self.end_headers()
        self.wfile.write(b"64\r\n" + bytes(100) + b"\r\n0\r\n\r\n" if kind == 1 else bytes(100))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def echo() -> Iterator[tuple[int, type[Echo]]]:
    """A server's port, and the service that keeps its requests."""
    service = type("Kept", (Echo,), {"connections": [], "requests": [], "turns": count()})
    with ThreadingHTTPServer(("127.0.0.1", 0), service) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server.server_port, service
        server.shutdown()
        serving.join()


def test_http_keeps_connections_and_reads_both_kinds_of_bodies(echo: tuple[int, type[Echo]], tmp_path: Path) -> None:
    """As many connections as callers; a length or chunks, 100 bytes either way; 429 is a refusal."""
    found = run(echo[0], tmp_path, Load("x", concurrency=3), "--protocol", "http", "--min-response-bytes", "100")
    assert len(echo[1].connections) == 3
    assert set(found["statuses"]) == {"200", "429"}
    assert found["short_answers"] == 0
    assert found["response_bytes"] == 100 * found["ok"]
    assert found["refused"] == found["statuses"]["429"]


def test_callers_have_the_address_that_is_asked_for(
    full: tuple[int, Full], echo: tuple[int, type[Echo]], tmp_path: Path
) -> None:
    """Over either protocol; without it, they have this machine's usual one."""
    for source in ("127.0.0.2", None):
        flags = ["--source", source] if source else []
        run(full[0], tmp_path, Load("x", concurrency=1), *flags)
        run(echo[0], tmp_path, Load("x", concurrency=1), "--protocol", "http", *flags)
    assert {host for host, _ in echo[1].connections} == {"127.0.0.2", "127.0.0.1"}
    assert {peer.split(":")[1] for peer in full[1].peers} == {"127.0.0.2", "127.0.0.1"}
