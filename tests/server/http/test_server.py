"""Pages over HTTP: metrics in the format that a scraper asks for, and health, which gRPC has too."""

import json
import socket
import urllib.error
import urllib.request

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from bothends.server.server import Server
from bothends.wire.messages import SERVICE
from tests.support.transports import native_alone


@pytest.mark.parametrize(
    ("accept", "content_type", "read"),
    [
        ("*/*", "text/plain; version=0.0.4", read_text),
        (
            "application/openmetrics-text; version=1.0.0",
            "application/openmetrics-text; version=1.0.0",
            read_openmetrics,
        ),
    ],
)
def test_metrics_come_in_the_format_asked_for(server: Server, accept: str, content_type: str, read: object) -> None:
    """Prometheus asks for OpenMetrics, which has room for exemplars; a browser gets plain text. Both hold all."""
    request = urllib.request.Request(f"http://127.0.0.1:{server.http_port}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request) as page:  # noqa: S310  our own server
        assert page.headers["Content-Type"].startswith(content_type)
        families = {family.name for family in read(page.read().decode())}  # type: ignore[operator]
    assert {"bothends_requests", "bothends_request_seconds", "bothends_model_info"} <= families


def test_health_and_readiness(server: Server) -> None:
    stub = health_pb2_grpc.HealthStub(grpc.insecure_channel(f"127.0.0.1:{server.port}"))
    for service in ("", SERVICE):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    for path, body in (("healthz", {"status": "alive"}), ("readyz", {"status": "serving"})):
        with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/{path}") as page:
            assert json.load(page) == body


@pytest.mark.parametrize("path", ["healthz", "v1/models", "nothing", ""])
def test_no_browser_takes_an_answer_for_another_kind(server: Server, path: str) -> None:
    """Each answer says so once: JSON that holds a caller's words is no page and no script, whatever is in it."""
    answer = httpx.get(f"http://127.0.0.1:{server.http_port}/{path}")
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]


@native_alone
def test_a_malformed_request_is_told_in_text_that_is_no_page(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.http_port), 60) as connection:
        connection.sendall(b"no request\r\n\r\n")
        assert b"nosniff" in connection.recv(65536)
