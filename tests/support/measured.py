"""Samples of the metrics of a server in the tests' own process."""

from bothends.server.server import Server


def sample(server: Server, series: str, /, **labels: str) -> float:
    """Value of a series, as the next scrape would show it; 0 where it isn't there."""
    return server.metrics.registry.get_sample_value(series, labels) or 0.0
