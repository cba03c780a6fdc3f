"""Servers with settings of their own, and callers that speak HTTP/2 by hand."""

import socket
import ssl
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import trustme

from bothends.model.bundle import Bundle
from bothends.server.fronts import FRONTS
from bothends.server.fronts.front import Front
from bothends.server.server import Server
from bothends.settings import Settings
from bothends.v1 import embedding_pb2, embedding_pb2_grpc

from .until import TIMEOUT_S

AT_ONCE_S = 1e-9
"""Interval so short that files are looked at whenever they are needed."""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY = 4, 6, 7
ALONE = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0), ("grpc.initial_reconnect_backoff_ms", 100)]
"""Options that give each channel a connection of its own, and none of gRPC's own retries: where connections end beneath
calls, one in some thousands then waits for ever, past its deadline (grpc/grpc#41036).
"""


@contextmanager
def serving(bundle: Bundle, *, fronts: Sequence[Front] = FRONTS, **settings: Any) -> Iterator[Server]:
    """Run a server on free ports, with these settings."""
    server = Server(Settings(bundle=bundle.path, device="cpu", workers=1, port=0, http_port=0, **settings), fronts)
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
        return error.code()  # type: ignore[no-any-return]
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


class RawHttp2:
    """A connection whose frames the test writes and reads."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.send(PREFACE, frame(SETTINGS))
        while self.read() != (SETTINGS, b""):  # until ours is acknowledged
            pass

    def send(self, *parts: bytes) -> None:
        self.socket.sendall(b"".join(parts))

    def read(self) -> tuple[int, bytes] | None:
        """Read the next frame: its kind and payload; None at the end. The server's settings are acknowledged."""
        head = self._exactly(9)
        if head is None:
            return None
        kind, flags = head[3], head[4]
        payload = self._exactly(int.from_bytes(head[:3], "big")) or b""
        if kind == SETTINGS and not flags & 1:
            self.send(frame(SETTINGS, flags=1))
        return kind, payload

    def read_until(self, kind: int) -> bytes | None:
        """Read up to the next frame of this kind, and return its payload; None if the connection ends first."""
        while (found := self.read()) is not None:
            if found[0] == kind:
                return found[1]
        return None

    def _exactly(self, size: int) -> bytes | None:
        content = b""
        while len(content) < size:
            try:
                more = self.socket.recv(size - len(content))
            except ConnectionResetError:
                return None
            if not more:
                return None
            content += more
        return content

    def __enter__(self) -> "RawHttp2":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    """Make an HTTP/2 frame (RFC 9113, 4.1)."""
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload
