"""The stack's own Prometheus and Alertmanager after a minute of load through the published port."""

import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from bothends import Client
from tests.conftest import WORDS
from tests.support.until import eventually
from tests.support.watching import ON_A_GPU, Prometheus, Query, metrics_in, queries

from .stack import Stack

pytestmark = [pytest.mark.compose, pytest.mark.timeout(600)]

LOAD_S = 60.0
CALLERS = 2


def call(target: str, seed: int, until: float) -> list[float]:
    """Embed lists of unlike sentences until a time of `time.monotonic`; return the seconds that each took."""
    random, seconds = np.random.default_rng(seed), []
    with Client(target) as client:
        while time.monotonic() < until:
            sentences = [" ".join(random.choice(WORDS, size=length)) for length in random.integers(4, 40, size=16)]
            started = time.perf_counter()
            client.encode(sentences)
            seconds.append(time.perf_counter() - started)
    return seconds


@pytest.fixture(scope="module")
def prometheus(stack: Stack) -> Iterator[Prometheus]:
    with httpx.Client(base_url=f"http://{stack.address('prometheus', 9090)}") as http:
        yield Prometheus(http, "1m")


@pytest.fixture(scope="module")
def seconds(stack: Stack, prometheus: Prometheus) -> list[float]:
    """Seconds of each of the callers' requests, once the last of them have been scraped."""
    target, until = stack.address("gateway", 50051), time.monotonic() + LOAD_S
    with ThreadPoolExecutor(CALLERS) as pool:
        calls = [pool.submit(call, target, seed, until) for seed in range(CALLERS)]
    threading.Event().wait(20)  # a scrape and an evaluation at the stack's own pace
    return [each for done in calls for each in done.result()]


def test_every_panel_shows_something(prometheus: Prometheus, seconds: list[float]) -> None:
    """Every query of every dashboard finds values, but for a GPU's own and alerts that happen not to fire."""
    assert seconds

    def is_shown(query: Query) -> bool:
        return query.panel == "annotation" or bool(metrics_in(query.expression) & ON_A_GPU)

    asked = [query for query in queries() if not is_shown(query)]
    silent = [str(query) for query in asked if not any(map(math.isfinite, prometheus.answer(query)))]
    assert not silent


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99])
def test_quantiles_are_those_of_the_callers(prometheus: Prometheus, seconds: list[float], quantile: float) -> None:
    """Quantiles agree within a bucket: the callers' own times hold the way through the gateway too."""
    buckets = 'rate(bothends_request_seconds_bucket{method="Embed"}[5m])'
    (seen,) = prometheus.ask(f"histogram_quantile({quantile}, sum by (le) ({buckets}))")
    own = float(np.quantile(seconds, quantile))
    assert own / 3.5 <= seen <= own * 2.5


def test_a_stopped_embedder_rings_at_the_alertmanager(stack: Stack, seconds: list[float]) -> None:
    """An alert of Prometheus, which waits its minute, reaches Alertmanager."""
    stack.compose("stop", "embedder")
    address = stack.address("alertmanager", 9093)
    try:
        assert eventually(lambda: "BothendsDown" in firing(address), within_s=240, every_s=2), firing(address)
    finally:
        stack.up("embedder")  # the gateway comes back to health by itself


def firing(address: str) -> set[str]:
    """Names of the alerts that an Alertmanager has."""
    return {alert["labels"]["alertname"] for alert in httpx.get(f"http://{address}/api/v2/alerts").json()}
