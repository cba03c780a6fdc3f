"""Metrics over HTTP, in the format that a scraper asks for."""

import urllib.request

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from bothends.server.server import Server


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
