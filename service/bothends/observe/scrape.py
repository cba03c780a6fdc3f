"""Prometheus collectors that read the queue's and the transport's measurements at each scrape."""

import time
from collections.abc import Callable, Iterable, Mapping
from threading import Lock

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

HOLD_S = 15.0
"""Seconds for which the largest lag is reported: every Prometheus that scrapes within them sees it."""
GAUGES = {
    "connections": ("grpc_connections", "Connections that are open."),
    "http_connections": ("http_connections", "Connections to HTTP's ports that are open."),
    "requests": ("http_requests", "HTTP's requests for the application that are open."),
    "calls": ("grpc_calls", "Calls that are open, streams among them."),
    "slots": ("grpc_slots", "Unary calls that are read, wait or are taken."),
    "waiting": ("grpc_waiting_messages", "Messages that have come and were not taken yet."),
    "taken": ("grpc_taken_messages", "Messages that were taken and have no answer yet."),
    "held_bytes": ("grpc_held_bytes", "Bytes of requests that have come and were not taken yet."),
    "making_bytes": ("grpc_making_bytes", "Bytes of long requests that are being served, with their rows."),
    "unread_bytes": ("grpc_unread_bytes", "Bytes of answers that their callers have not read yet."),
    "lag_s": ("grpc_lag_seconds", f"The longest that no thread looked at the sockets, of the last {HOLD_S:g} s."),
}
"""Metric, after `bothends_`, and help for each of a transport's figures that rises and falls."""
COUNTERS = {
    "connections_begun": ("grpc_begun_connections", "Connections that callers have begun."),
    "calls_begun": ("grpc_begun_calls", "Calls that callers have begun."),
    "received_bytes": ("grpc_received_bytes", "Bytes received from callers, TLS not included."),
    "sent_bytes": ("grpc_sent_bytes", "Bytes sent to callers, TLS not included."),
    "resets": ("grpc_resets", "Calls that their callers have reset."),
    "uncounted": ("grpc_uncounted_calls", "Calls that bothends_requests_total misses, as too many ended at once."),
}
"""The same for those that only rise."""


class Registry(CollectorRegistry):
    """Registry whose series have no creation timestamps, which would double a scrape and say nothing here.

    The library's own switch for them is global: it would also change the metrics of a host application.
    """

    def __init__(self) -> None:
        super().__init__()
        self.acts: list[Callable[[], None]] = []  # before a scrape

    def collect(self) -> Iterable[Metric]:
        """Call what was registered to run before scrapes, then collect."""
        for act in self.acts:
            act()
        for metric in super().collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class QueueCollector(Collector):
    """Collector that reads the queue's length only at a scrape."""

    def __init__(self, queued: Callable[[], Mapping[str, int]], count_waiting: Callable[[], Iterable[int]]) -> None:
        """Ask `queued`, and `count_waiting` for what waits elsewhere, in the same units."""
        self._queued = queued
        self._count_waiting = count_waiting

    def collect(self) -> Iterable[Metric]:
        """Read the length, and yield a gauge for each unit."""
        for (name, value), elsewhere in zip(self._queued().items(), self._count_waiting(), strict=True):
            text = f"{name.capitalize()} that wait for the engine."
            yield GaugeMetricFamily(f"bothends_queue_{name}", text, value=value + elsewhere)


class TransportCollector(Collector):
    """Collector that reads a transport's measurements once a scrape, and reports them with their limits."""

    def __init__(
        self,
        figures: Callable[[], Mapping[str, float]],
        limits: Mapping[str, float],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._figures = figures
        self._limits = limits
        self._clock = clock
        self._lags: list[tuple[float, float]] = []
        self._looking = Lock()

    def collect(self) -> Iterable[Metric]:
        """Read the measurements once, and yield those that the transport has, and their limits."""
        figures = self._look()
        for name, value in figures.items():
            if name in GAUGES:
                metric, text = GAUGES[name]
                yield GaugeMetricFamily(f"bothends_{metric}", text, value=value)
            elif name in COUNTERS:
                metric, text = COUNTERS[name]
                yield CounterMetricFamily(f"bothends_{metric}", text, value=value)
        for name, limit in self._limits.items():
            if name in figures:
                metric, _ = GAUGES[name]
                text = f"The most that bothends_{metric} may be."
                yield GaugeMetricFamily(f"bothends_{metric}_limit", text, value=limit)

    def _look(self) -> dict[str, float]:
        """Ask for the figures. Asking resets the lag, and others ask too: a second Prometheus, the page."""
        with self._looking:
            figures = dict(self._figures())
            if "lag_s" in figures:
                now = self._clock()
                self._lags = [(at, lag) for at, lag in self._lags if now - at <= HOLD_S] + [(now, figures["lag_s"])]
                figures["lag_s"] = max(lag for _, lag in self._lags)
        return figures
