"""The stack as its users meet it: embed, be watched, stop, scale and upgrade."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from bothends import Client, ConnectionFailedError, DrainingError, OverloadedError, Retry
from bothends.core.embedder import Embedder
from bothends.model.bundle import Bundle
from bothends.observe.metrics import Metrics
from bothends.settings import Settings
from bothends.v1.embedding_pb2 import EmbedRequest
from bothends.v1.embedding_pb2_grpc import EmbeddingServiceStub
from tests.support.paths import ROOT
from tests.support.until import TIMEOUT_S, eventually

from .stack import Stack, docker, inspect, metric

pytestmark = [pytest.mark.compose, pytest.mark.timeout(600)]

ANSWERED = 'bothends_requests_total{code="OK",method="Embed"}'
SENTENCES = [f"dragon number {number} sings" + " and sings" * (number % 20) for number in range(300)]
SAME = ["the same words"]
LONG = EmbedRequest(sentences=["word " * 250] * 1000)
"""A request of some seconds of work, where a Client would send several."""


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    """A client of the published port."""
    with Client(stack.address("gateway", 50051)) as connected:
        yield connected


def ask(address: str, path: str) -> Any:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
        return json.load(answer)


def test_rows_are_those_of_the_bundle_in_process(client: Client, english: Bundle) -> None:
    """Image, container, gateway and network change nothing; several requests, of all lengths."""
    embedder = Embedder.load(english, settings=Settings(device="cpu"), metrics=Metrics())
    expected = embedder.embed(SENTENCES).rows
    embedder.close(timeout_s=5)
    np.testing.assert_allclose(client.encode(SENTENCES), expected, rtol=0, atol=1e-6)


def test_the_gateway_passes_http_but_not_what_watches(stack: Stack, client: Client) -> None:
    """OpenAI's API gives the same numbers; one embedder's metrics and health, whichever it is, aren't for callers."""
    gateway = stack.address("gateway", 8080)
    request = urllib.request.Request(
        f"http://{gateway}/v1/embeddings",
        json.dumps({"model": "english", "input": ["there will be dragons"]}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  our own gateway
        row = np.array(json.load(answer)["data"][0]["embedding"], np.float32)
    assert row.tobytes() == client.encode("there will be dragons", normalize=True).tobytes()
    assert ask(gateway, "/readyz") == {"status": "serving"}
    for path in ("/metrics", "/healthz"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://{gateway}{path}", timeout=10)


def targets(stack: Stack) -> list[str]:
    """The health of each embedder that Prometheus scrapes."""
    found = ask(stack.address("prometheus", 9090), "/api/v1/targets?scrapePool=bothends")["data"]["activeTargets"]
    return [target["health"] for target in found]


def test_prometheus_scrapes_and_alertmanager_listens(stack: Stack) -> None:
    prometheus = stack.address("prometheus", 9090)
    assert eventually(lambda: targets(stack) == ["up"], within_s=TIMEOUT_S)
    found = ask(prometheus, "/api/v1/query?query=bothends_model_info")["data"]["result"]
    assert [sample["metric"]["name"] for sample in found] == ["english"]
    assert found[0]["metric"]["job"] == "bothends"
    assert len(ask(prometheus, "/api/v1/alertmanagers")["data"]["activeAlertmanagers"]) == 1
    receivers = ask(stack.address("alertmanager", 9093), "/api/v2/receivers")
    assert [receiver["name"] for receiver in receivers] == ["default"]
    loaded = {Path(group["file"]).name for group in ask(prometheus, "/api/v1/rules")["data"]["groups"]}
    assert loaded == {file.name for file in (ROOT / "deploy" / "prometheus" / "rules").glob("*.yml")}


def test_grafana_is_up_and_sees_what_is_provisioned(stack: Stack) -> None:
    assert ask(stack.address("grafana", 3000), "/api/health")["database"] == "ok"
    (grafana,) = stack.containers("grafana")
    read = "cat /etc/grafana/provisioning/*/*.yml && ls /var/lib/grafana/dashboards"
    assert "uid: prometheus" in docker("exec", grafana, "sh", "-c", read)


class Callers:
    """Eight clients that ask for the same words until they are refused; every answer is checked."""

    def __init__(self, target: str) -> None:
        self._target = target
        with Client(target) as client:
            self._expected = client.encode(SAME).tobytes()
        self.answers = 0
        self.refusals = 0
        self.unforeseen: list[BaseException] = []
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._loop) for _ in range(8)]

    def __enter__(self) -> "Callers":
        for thread in self._threads:
            thread.start()
        assert eventually(lambda: self.answers >= 100, within_s=TIMEOUT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(timeout=60)

    def _loop(self) -> None:
        with Client(self._target, retry=Retry(attempts=1)) as client:  # which shows what a single call meets
            while not self._stopped.is_set():
                try:
                    assert client.encode(SAME).tobytes() == self._expected
                    self.answers += 1
                except (ConnectionFailedError, DrainingError, OverloadedError):  # nothing was done
                    self.refusals += 1
                except BaseException as error:  # reported by the test
                    self.unforeseen.append(error)
                    return


def in_flight(channel: grpc.Channel, embedder: str) -> "grpc.Future[Any]":
    """Answer to a long request of which much still waits. It is asked again if it was answered before."""
    for _ in range(50):
        answer: grpc.Future[Any] = EmbeddingServiceStub(channel).Embed.future(LONG, timeout=100)
        while not answer.done():
            if metric(embedder, "bothends_queue_sentences") >= 300:
                return answer
    raise AssertionError("a long request was never seen to wait")


@pytest.mark.parametrize("services", [("embedder",), ("gateway", "embedder")], ids="+".join)
def test_stopping_under_load_loses_nothing_accepted(stack: Stack, services: tuple[str, ...]) -> None:
    """A long request in flight is answered in full; callers get right answers, then a refusal; all exit with 0."""
    target = stack.address("gateway", 50051)
    (embedder,) = stack.containers("embedder")

    with Callers(target) as callers, grpc.insecure_channel(target) as channel:
        answer = in_flight(channel, embedder)
        stack.compose("stop", *services)
        assert len(answer.result(timeout=10).embeddings) == 1000
    assert callers.unforeseen == []
    assert callers.refusals > 0
    for service in services:
        assert [inspect(container)["State"]["ExitCode"] for container in stack.containers(service)] == [0]
    stack.up()
    with Client(stack.address("gateway", 50051)) as client:
        assert client.encode(SAME).shape == (1, 512)


def test_replicas_share_the_load_and_one_may_go(stack: Stack, client: Client) -> None:
    """Three are scraped; calls of one connection reach each; one that stops under load is not missed for long."""
    stack.up("--scale", "embedder=3")
    embedders = stack.containers("embedder")
    assert len(embedders) == 3

    def all_are_known() -> bool:
        client.encode(SAME)
        return all(metric(embedder, ANSWERED) > 0 for embedder in embedders)

    assert eventually(all_are_known, within_s=TIMEOUT_S)
    before = [metric(embedder, ANSWERED) for embedder in embedders]
    for _ in range(90):
        client.encode(SAME)
    shares = [metric(embedder, ANSWERED) - count for embedder, count in zip(embedders, before, strict=True)]
    assert sum(shares) == 90
    assert min(shares) >= 20, shares
    assert eventually(lambda: targets(stack) == ["up"] * 3, within_s=TIMEOUT_S)

    with Callers(stack.address("gateway", 50051)) as callers:
        docker("stop", embedders[1])
        answers = callers.answers
        assert eventually(lambda: callers.answers > answers + 100, within_s=TIMEOUT_S)
    assert callers.unforeseen == []
    assert inspect(embedders[1])["State"]["ExitCode"] == 0
    assert eventually(lambda: targets(stack) == ["up"] * 2, within_s=TIMEOUT_S)
    stack.up("--scale", "embedder=1")


def test_an_upgrade_interrupts_no_call(stack: Stack) -> None:
    """Steps of docs/deploy.md: a new replica beside the old one, then the old one goes. Here a setting changes."""
    (old,) = stack.containers("embedder")
    with Callers(stack.address("gateway", 50051)) as callers:
        stack.environment["BOTHENDS_LOG_LEVEL"] = "debug"
        stack.up("--no-recreate", "--scale", "embedder=2")
        docker("stop", old)
        docker("rm", old)
        (new,) = stack.containers("embedder")
        answers = callers.answers
        assert eventually(lambda: callers.answers > answers + 100, within_s=TIMEOUT_S)
    assert new != old
    assert "BOTHENDS_LOG_LEVEL=debug" in inspect(new)["Config"]["Env"]
    assert callers.unforeseen == []
