"""Collectors at a scrape: each figure of a transport is reported once, by its kind, and no more than the transport
has.
"""

from prometheus_client import generate_latest

from bothends.observe.metrics import Metrics
from bothends.observe.scrape import HOLD_S, Registry, TransportCollector


class TransportOfFigures:
    """A transport that has been told its figures, and whose lag begins anew at each look, as the native one's does."""

    def __init__(self, **figures: float) -> None:
        self.values = figures
        self.looks = 0

    def figures(self) -> dict[str, float]:
        self.looks += 1
        seen = dict(self.values)
        if "lag_s" in self.values:
            self.values["lag_s"] = 0.0
        return seen


def test_a_transport_is_asked_once_a_scrape_and_reports_gauges_and_counters() -> None:
    metrics, transport = Metrics(), TransportOfFigures(connections=3, waiting=2, received_bytes=700, reading=1)
    metrics.watch_transport(
        transport.figures, limits={"connections": 512, "unread_bytes": 1 << 28}, reasons=["full", "slow"]
    )
    page = generate_latest(metrics.registry).decode()
    assert transport.looks == 1
    for line in (
        "# TYPE bothends_grpc_connections gauge\nbothends_grpc_connections 3.0",
        "bothends_grpc_connections_limit 512.0",
        "bothends_grpc_waiting_messages 2.0",
        "# TYPE bothends_grpc_received_bytes_total counter\nbothends_grpc_received_bytes_total 700.0",
        'bothends_grpc_refused_calls_total{reason="slow"} 0.0',
    ):
        assert line in page
    transport.values["received_bytes"] = 900
    assert "bothends_grpc_received_bytes_total 900.0" in generate_latest(metrics.registry).decode()


def test_a_transport_reports_only_what_it_has() -> None:
    """No figure and no limit of one that the transport doesn't count, and nothing that has no metric."""
    metrics = Metrics()
    transport = TransportOfFigures(calls=1, slots=1, waiting=0, reading=1)
    metrics.watch_transport(transport.figures, limits={"connections": 512, "slots": 64}, reasons=[])
    page = generate_latest(metrics.registry).decode()
    found = {line.split()[0] for line in page.splitlines() if line.startswith("bothends_grpc_")}
    assert found == {f"bothends_grpc_{name}" for name in ("calls", "slots", "slots_limit", "waiting_messages")}


def test_everyone_who_looks_sees_the_largest_lag() -> None:
    """A second Prometheus, or the page, doesn't take it away from the first; after a while it is over."""
    registry, transport, now = Registry(), TransportOfFigures(lag_s=0.4), [100.0]
    registry.register(TransportCollector(transport.figures, {}, clock=lambda: now[0]))

    def lag() -> float | None:
        return registry.get_sample_value("bothends_grpc_lag_seconds")

    assert lag() == 0.4
    transport.values["lag_s"] = 0.1
    now[0] += HOLD_S
    assert lag() == 0.4
    now[0] += 1
    assert lag() == 0.1


def test_a_refusal_of_the_transports_is_counted_by_its_own_reason() -> None:
    metrics = Metrics()
    metrics.transport_refused("unread")
    assert metrics.registry.get_sample_value("bothends_grpc_refused_calls_total", {"reason": "unread"}) == 1
