"""Calls to the HTTP API whose every byte the test sends and reads, and the server's counts of them."""

import json
import socket
import ssl
from http.client import HTTPResponse

from bothends.server.server import Server

from .until import TIMEOUT_S

BY_PYTHON = "/v1/embeddings?"
"""The path with a query, if an empty one: no plain request, so Python serves it."""


def of(sentences: list[str], **fields: object) -> bytes:
    return json.dumps({"model": "english", "input": sentences, **fields}).encode()


def posting(
    server: Server,
    *lines: str,
    body: bytes = b"",
    path: str = "/v1/embeddings",
    receives: int | None = None,
    tls: bool = False,
) -> socket.socket:
    """Connect and send a POST, whole or not; `receives` bytes are kept for a caller that doesn't read."""
    connection = socket.socket()
    if receives is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
    connection.settimeout(TIMEOUT_S)
    connection.connect(("127.0.0.1", server.http_port))
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = context.wrap_socket(connection)
    head = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *lines, "", ""]
    connection.sendall("\r\n".join(head).encode() + body)
    return connection


def answer_on(connection: socket.socket) -> tuple[int, str]:
    """Read status and body, also where more was to be sent."""
    answer = HTTPResponse(connection)
    answer.begin()
    return answer.status, answer.read().decode()


def speaks_http2(server: tuple[str, int]) -> bool:
    """Return whether a port of HTTP speaks HTTP/2, as the native transport does and uvicorn doesn't."""
    with socket.create_connection(server, timeout=TIMEOUT_S) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))  # SETTINGS
        return connection.recv(1) != b"H"  # an answer of HTTP/1.1


def in_progress(server: Server) -> float:
    """Number of HTTP's calls that have a place: the native transport's slots, and those that Python has let in."""
    slots = server.grpc.figures()["slots"] if server.transport == "native" else 0
    return slots + server.service.concurrency.inside


def queued(server: Server) -> float:
    return server.metrics.registry.get_sample_value("bothends_queue_sentences") or 0


def counted(server: Server, code: str) -> float:
    labels = {"method": "POST /v1/embeddings", "code": code}
    return server.metrics.registry.get_sample_value("bothends_requests_total", labels) or 0
