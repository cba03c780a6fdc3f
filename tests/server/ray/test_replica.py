"""A replica without a cluster: the name and the node that Ray would give it are the test's."""

import asyncio
import json
import threading
import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2

from bothends.errors import NotServingError, StartupError
from bothends.model.bundle import Bundle
from bothends.v1 import embedding_pb2
from tests.server.ray.test_call import Context
from tests.server.ray.test_targets import Store
from tests.support.until import TIMEOUT_S, until

pytestmark = pytest.mark.slow  # Ray Serve takes seconds to import


@pytest.fixture(scope="module")
def replica() -> Any:
    """The module, imported without Ray's warnings."""
    pytest.importorskip("ray")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from bothends.server.ray import replica
    return replica


@pytest.fixture(autouse=True)
def node(replica: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica.serve, "get_replica_context", lambda: SimpleNamespace(replica_tag="bothends#1"))
    monkeypatch.setattr(replica.ray.util, "get_node_ip_address", lambda: "127.0.0.1")
    monkeypatch.setattr(replica, "configure", lambda *_: None)  # it takes the log from pytest


def settings_of(bundle: Bundle, /, **changes: Any) -> dict[str, Any]:
    chosen = {"bundle": str(bundle.path), "device": "cpu", "workers": 1, "metrics": "off", "selftest_s": 0}
    return chosen | changes


@pytest.fixture
def one(replica: Any, toy_bundle: Bundle) -> Iterator[Any]:
    made = replica.Replica(settings_of(toy_bundle, max_message_bytes=1024), replica.version("bothends"))
    yield made
    del made


def ask(one: Any, request: bytes, context: Context) -> bytes:
    async def embed() -> Any:
        return await one.Embed((request, None), context)

    return bytes(asyncio.run(embed()).SerializeToString())


def test_it_answers_once_it_is_made(one: Any) -> None:
    """A replica is healthy, answers calls, and refuses a message over its limit in gRPC's words."""
    asyncio.run(one.check_health())
    health = asyncio.run(one.Check((b"", None))).SerializeToString()
    assert health_pb2.HealthCheckResponse.FromString(health).status == health_pb2.HealthCheckResponse.SERVING
    context = Context()
    request = embedding_pb2.EmbedRequest(sentences=["a man"]).SerializeToString()
    assert len(embedding_pb2.EmbedResponse.FromString(ask(one, request, context)).embeddings) == 1
    assert context.status is None
    assert ask(one, b"x" * 1025, context) == b""
    assert context.status is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert context.details == "SERVER: Received message larger than max (1025 vs. 1024)"


def test_it_may_have_several_models(replica: Any, toy_bundle: Bundle) -> None:
    """As the settings name them; calls and checks of health ask for one."""
    bundles = [{"name": "english"}, {"name": "old", "folder": str(toy_bundle.path)}]
    chosen = settings_of(toy_bundle, bundle=None, bundles=bundles)
    made = replica.Replica(chosen, replica.version("bothends"))
    found = {}
    for name in ("", "english", "old"):
        request = embedding_pb2.EmbedRequest(sentences=["a man"], model=name).SerializeToString()
        answer = embedding_pb2.EmbedResponse.FromString(ask(made, request, Context()))
        found[name] = len(answer.embeddings[0].values)
    assert found == {"": 512, "english": 512, "old": toy_bundle.config.dimension}
    made._service._readiness.set_fit("old", fit=False)  # noqa: SLF001  as a supervisor's thread has it
    states = {}
    for name in ("", "english", "old"):
        request = health_pb2.HealthCheckRequest(service=name).SerializeToString()
        health = asyncio.run(made.Check((request, None))).SerializeToString()
        states[name] = health_pb2.HealthCheckResponse.FromString(health).status
    serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    assert states == {"": not_serving, "english": serving, "old": not_serving}
    del made


def test_its_metrics_have_a_port_of_their_own(
    replica: Any, toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica announces that port for Prometheus with its health, and takes the announcement back at its end."""
    store = Store()
    monkeypatch.setattr("bothends.server.ray.targets.internal_kv", store)
    made = replica.Replica(settings_of(toy_bundle, metrics="open"), replica.version("bothends"))
    asyncio.run(made.check_health())
    (entry,) = map(json.loads, store.entries.values())
    page = httpx.get(f"http://{entry['targets'][0]}/metrics", timeout=TIMEOUT_S)
    assert 'bothends_requests_total{code="OK",method="Embed"} 0.0' in page.text
    del made
    assert store.entries == {}


def test_an_unfit_model_is_an_unhealthy_replica(one: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray replaces it; the error names replica and node."""
    monkeypatch.setattr("bothends.server.model_service.ModelService.is_fit", lambda _: False)
    with pytest.raises(NotServingError, match=r"replica bothends#1 on node 127\.0\.0\.1"):
        asyncio.run(one.check_health())
    health = asyncio.run(one.Check((b"", None))).SerializeToString()
    assert health_pb2.HealthCheckResponse.FromString(health).status == health_pb2.HealthCheckResponse.NOT_SERVING


def test_its_end_leaves_no_thread(replica: Any, toy_bundle: Bundle) -> None:
    """Ray drops a replica that it doesn't need any more."""
    before = set(threading.enumerate())
    made = replica.Replica(settings_of(toy_bundle), replica.version("bothends"))
    assert set(threading.enumerate()) - before
    del made
    until(lambda: set(threading.enumerate()) <= before)


@pytest.mark.parametrize(
    ("version", "changes", "problem"),
    [("0.0.1", {}, "is installed here, 0.0.1 where"), (None, {"bundle": "/nowhere"}, "there is no bundle at /nowhere")],
)
def test_a_start_that_fails_names_the_replica(
    replica: Any, toy_bundle: Bundle, version: str | None, changes: dict[str, Any], problem: str
) -> None:
    """Ray shows the error of whichever replica failed."""
    with pytest.raises(StartupError, match=rf"^replica bothends#1 on node 127\.0\.0\.1: .*{problem}"):
        replica.Replica(settings_of(toy_bundle, **changes), version or replica.version("bothends"))
