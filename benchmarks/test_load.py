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

from bothends.kserve.v2 import inference_pb2
from bothends.v1 import embedding_pb2
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


def test_refusals_that_say_when_to_come_again_are_counted(full: tuple[int, Full], tmp_path: Path) -> None:
    found = run(full[0], tmp_path, Load("x", concurrency=1))
    assert found["refused"] > 0
    assert found["retry_infos"] == {str(_FULL): found["refused"]}
    assert found["statuses"] == {"0": found["ok"], str(_FULL): found["refused"]}


def test_a_kserve_request_holds_the_sentences(full: tuple[int, Full], tmp_path: Path) -> None:
    port, service = full
    run(port, tmp_path, Load("x", batch=2, concurrency=1), "--body", "infer", "--model", "some", "--seed", "0")
    request = inference_pb2.ModelInferRequest.FromString(service.requests[0][1])
    (tensor,), (content,) = request.inputs, request.raw_input_contents
    assert (request.model_name, tensor.name, tensor.datatype, tensor.shape) == ("some", "sentences", "BYTES", [2, 1])
    texts = [b"\3\0\0\0one", b"\x09\0\0\0the other"]
    assert content in (b"".join(texts), b"".join(reversed(texts)))


def test_a_call_may_be_empty(full: tuple[int, Full], tmp_path: Path) -> None:
    port, service = full
    run(port, tmp_path, Load("x", batch=0, concurrency=1, path="/some.Service/Method"))
    assert set(service.requests) == {("/some.Service/Method", b"")}


def test_options_stand_in_an_embed_request(full: tuple[int, Full], tmp_path: Path) -> None:
    port, service = full
    options = ["--normalize", "1", "--truncation", "3", "--dimensions", "300"]
    run(port, tmp_path, Load("x", batch=2, concurrency=1), *options)
    request = embedding_pb2.EmbedRequest.FromString(service.requests[0][1])
    assert sorted(request.sentences) == ["one", "the other"]
    assert (request.normalize, request.truncation, request.dimensions) == (True, 3, 300)


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


@pytest.mark.parametrize("batch", [1, 2])
def test_a_request_of_openais_api_holds_the_sentences(echo: tuple[int, type[Echo]], tmp_path: Path, batch: int) -> None:
    """One sentence is a string, more are a list; each request takes the next ones."""
    flags = ["--protocol", "http", "--body", "openai", "--model", "some", "--encoding", "float", "--key", "secret"]
    load = Load("x", batch=batch, concurrency=2)  # two are sent at once, however busy the machine
    run(echo[0], tmp_path, load, *flags)
    (path, headers, _), *_ = requests = echo[1].requests
    bodies = [json.loads(body) for _, _, body in requests]
    assert (path, headers["Content-Type"]) == ("/v1/embeddings", "application/json")
    assert headers["Authorization"] == "Bearer secret"
    assert {(body["model"], body["encoding_format"]) for body in bodies} == {("some", "float")}
    asked = {body["input"] if batch == 1 else tuple(sorted(body["input"])) for body in bodies}
    assert asked == ({"one", "the other"} if batch == 1 else {("one", "the other")})


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    ("body", "asked_at", "name", "rest"),
    [("tei", "/embed", "inputs", {}), ("ollama", "/api/embed", "input", {"model": "some"})],
)
def test_a_request_of_other_apis_holds_the_sentences(
    echo: tuple[int, type[Echo]], tmp_path: Path, body: str, asked_at: str, name: str, rest: dict[str, str], batch: int
) -> None:
    """As of OpenAI's, at the path and under the name of each API."""
    flags = ["--protocol", "http", "--body", body, "--model", "some"]
    run(echo[0], tmp_path, Load("x", batch=batch, concurrency=2), *flags)
    (path, headers, content), *_ = echo[1].requests
    assert (path, headers["Content-Type"]) == (asked_at, "application/json")
    found = json.loads(content)
    sentences = found.pop(name)
    assert found == rest
    assert {sentences} < {"one", "the other"} if batch == 1 else sorted(sentences) == ["one", "the other"]
