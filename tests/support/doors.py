"""Servers with settings of their own, and callers that speak HTTP/2 by hand."""

import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import grpc
import trustme
from google.protobuf.message import Message

from bothends.model.bundle import Bundle
from bothends.server.fronts import FRONTS
from bothends.server.fronts.front import Front
from bothends.server.server import Server
from bothends.settings import Settings
from bothends.v1 import embedding_pb2, embedding_pb2_grpc

from .until import TIMEOUT_S

_Request = TypeVar("_Request", bound=Message)

AT_ONCE_S = 1e-9
"""Interval so short that files are looked at whenever they are needed."""
ALONE = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0), ("grpc.initial_reconnect_backoff_ms", 100)]
"""Options that give each channel a connection of its own, and none of gRPC's own retries: where connections end beneath
calls, one in some thousands then waits for ever, past its deadline (grpc/grpc#41036).
"""


class Channel(Protocol):
    """A connection by grpcio, whose types leave open what a call without serializers is of: bytes."""

    def unary_unary(self, method: str) -> "grpc.UnaryUnaryMultiCallable[bytes, bytes]": ...

    def stream_stream(self, method: str) -> "grpc.StreamStreamMultiCallable[bytes, bytes]": ...


@contextmanager
def serving(bundle: Bundle, *, fronts: Sequence[Front] = FRONTS, **settings: Any) -> Iterator[Server]:
    """Run a server on free ports, with these settings. It stops without waiting for callers who may still come."""
    options = Settings(bundle=bundle.path, device="cpu", workers=1, port=0, http_port=0, **settings)
    server = Server(options, fronts, lame_duck_s=0)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def connected(server: Server, credentials: grpc.ChannelCredentials | None = None) -> Iterator[grpc.Channel]:
    """Open a connection that no other caller shares."""
    target = f"127.0.0.1:{server.port}"
    with (
        grpc.insecure_channel(target, options=ALONE)
        if credentials is None
        else grpc.secure_channel(target, credentials, options=ALONE)
    ) as channel:
        yield channel


def left_to_python(request: _Request) -> _Request:
    """Return a request with a field that C++ doesn't know: it is Python's, whose engine a test may stop."""
    return type(request).FromString(request.SerializeToString() + b"\x30\x01")


def embed(channel: grpc.Channel, *sentences: str, key: str | None = None, timeout: float = TIMEOUT_S) -> Any:
    """Make one call."""
    stub = embedding_pb2_grpc.EmbeddingServiceStub(channel)
    metadata = (("authorization", f"Bearer {key}"),) if key else None
    return stub.Embed(embedding_pb2.EmbedRequest(sentences=sentences), timeout=timeout, metadata=metadata)


def code_of(call: Callable[[], object]) -> grpc.StatusCode:
    """Make a call, and return the status code with which it ended."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def write_pair(folder: Path, pair: trustme.LeafCert) -> None:
    """Write a certificate and its key, each moved into its place."""
    for name, content in (
        ("cert.pem", b"".join(part.bytes() for part in pair.cert_chain_pems)),
        ("key.pem", pair.private_key_pem.bytes()),
    ):
        put(folder / name, content)


def put(file: Path, content: bytes) -> None:
    """Write `content` beside `file` and move it there, as one should."""
    beside = file.with_suffix(".new")
    beside.write_bytes(content)
    beside.replace(file)


def shown_certificate(port: int, protocol: str) -> bytes:
    """Connect, and return the certificate that a server shows, DER."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as plain, context.wrap_socket(plain) as secure:
        return secure.getpeercert(binary_form=True) or b""
