"""Starting, failing to start, and stopping, inside one process."""

import itertools
import re
import shutil
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import generate_latest

from bothends.client.retry import Retry
from bothends.client.sync import Client
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.errors import BundleError, NotServingError, StartupError
from bothends.model.bundle import Bundle
from bothends.observe.metrics import CODES
from bothends.server.fronts import FRONTS
from bothends.server.grpc.contract import Reason
from bothends.server.model_service import ModelService
from bothends.server.server import Server
from bothends.settings import Settings
from bothends.v1.embedding_pb2 import EmbedRequest, EmbedResponse
from bothends.wire.messages import SERVICE
from tests.support import shards
from tests.support.doors import serving
from tests.support.transports import native_alone
from tests.support.until import TIMEOUT_S, until
from tests.support.watching import BY_THE_NATIVE_TRANSPORT

from .fronts.test_every_method import METHODS


def test_a_failed_start_leaves_nothing_behind(english: Bundle, tmp_path: Path) -> None:
    """Both ports are free again for a server that can start."""
    broken = tmp_path / "broken"
    shutil.copytree(english.path, broken)
    (broken / "golden.npz").unlink()
    first = Server(Settings(port=0, http_port=0, device="cpu", bundle=broken))
    with pytest.raises(BundleError):
        first.start()
    second = Server(Settings(port=first.port, http_port=first.http_port, device="cpu"), lame_duck_s=0)
    second.start()
    assert (second.port, second.http_port) == (first.port, first.http_port)
    assert second.stop()


def test_a_taken_port_is_said_before_the_model_is_read(server: Server, tmp_path: Path) -> None:
    """Ports are bound first: the bundle may be missing too."""
    for taken in ({"port": server.port, "http_port": 0}, {"port": 0, "http_port": server.http_port}):
        with pytest.raises(StartupError, match="Address already in use"):
            Server(Settings(bundle=tmp_path / "nowhere", **taken)).start()


def test_every_method_is_counted_from_the_start(toy_bundle: Bundle) -> None:
    """Each that is offered has its series at zero before its first call; those that the page counts are among them."""
    offered = {method.name for method in METHODS}
    with serving(toy_bundle) as fresh:
        samples = [sample for family in fresh.metrics.registry.collect() for sample in family.samples]
    counted = {
        (sample.labels["method"], sample.labels["code"]): sample.value
        for sample in samples
        if sample.name == "bothends_requests_total"
    }
    assert counted == dict.fromkeys(itertools.product(offered, CODES), 0.0)
    assert {sample.labels["method"] for sample in samples if sample.name == "bothends_request_seconds_sum"} == offered
    assert offered > {name for front in FRONTS for name in front.embedding_methods}


def test_the_transports_figures_are_metrics(toy_bundle: Bundle) -> None:
    """Figures are those of the transport that serves, with its limits, and each of its reasons at zero."""
    with serving(toy_bundle, max_connections=7) as fresh:
        with Client(f"127.0.0.1:{fresh.port}") as client:
            client.encode(["dragons"])
            page = generate_latest(fresh.metrics.registry).decode()
        values = dict(re.findall(r"^(bothends_(?:grpc|http)_\w+) (\S+)$", page, re.MULTILINE))
    assert {f"bothends_grpc_{name}" for name in ("calls", "slots", "slots_limit", "waiting_messages")} <= set(values)
    for reason in Reason:
        assert f'bothends_grpc_refused_calls_total{{reason="{reason}"}} 0.0' in page
    assert BY_THE_NATIVE_TRANSPORT & set(values) == (BY_THE_NATIVE_TRANSPORT if fresh.transport == "native" else set())
    if fresh.transport == "native":
        assert values["bothends_grpc_connections"] == values["bothends_grpc_begun_connections_total"] == "1.0"
        assert values["bothends_grpc_connections_limit"] == "7.0"
        assert values["bothends_http_connections_limit"] == "7.0"
        assert float(values["bothends_grpc_received_bytes_total"]) > 0
        assert float(values["bothends_grpc_sent_bytes_total"]) > 0


@native_alone
@pytest.mark.skipif(shards.asked() is not None, reason="servers have as many as was asked for")
def test_a_transport_has_a_shard_for_each_worker(toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or as many as the settings say; then it serves."""
    from bothends_native import transport

    made, make = list[int](), transport.Transport

    def noted(*given: Any, limits: Any, **more: Any) -> transport.Transport:
        made.append(limits.transport_shards)
        return make(*given, limits=limits, **more)

    monkeypatch.setattr(transport, "Transport", noted)
    monkeypatch.setattr("bothends.settings.ports.usable_cpus", lambda: 2)
    for given in (None, 4):
        settings = Settings(bundle=toy_bundle.path, device="cpu", port=0, http_port=0, workers=3)
        fresh = Server(settings.model_copy(update={"transport_shards": given}), lame_duck_s=0)
        fresh.start()
        with Client(f"127.0.0.1:{fresh.port}") as client:
            assert len(client.encode(["dragons"])) == 1
        assert fresh.stop()
    assert made == [3, 4]


def test_a_slow_reader_gets_all_of_what_was_accepted(drained: list[ModelService]) -> None:
    """A stopping server waits until an answer is on the wire, not only until it is made."""
    stopping = Server(Settings(port=0, http_port=0, device="cpu"))
    stopping.start()
    options = [("grpc.http2.bdp_probe", 0), ("grpc.max_receive_message_length", -1)]  # 64 kB go, the rest waits
    with (
        ThreadPoolExecutor(1) as other,
        grpc.insecure_channel(f"127.0.0.1:{stopping.port}", options=options) as channel,
    ):
        responses = channel.unary_stream(  # which takes an answer when it is asked for
            "/bothends.v1.EmbeddingService/Embed", EmbedRequest.SerializeToString, EmbedResponse.FromString
        )(EmbedRequest(sentences=["a dragon"] * 1000))
        next(iter(responses.initial_metadata()), None)  # comes with the first bytes
        stopped = other.submit(stopping.stop)
        until(lambda: drained)
        assert not stopped.done()
        assert len(next(responses).embeddings) == 1000
        assert stopped.result(TIMEOUT_S)


def test_a_model_that_is_no_longer_right_is_said_by_health_too() -> None:
    """NOT_SERVING and 503 while no engine agrees with PyTorch, SERVING and 200 once one does; calls are told."""
    drifting = Server(Settings(port=0, http_port=0, device="cpu", engine="onnxruntime", selftest_s=0.01), lame_duck_s=0)
    drifting.start()
    right, off = drifting.service.embedder.model, [0.5]
    with (
        pytest.MonkeyPatch.context() as patch,
        grpc.insecure_channel(f"127.0.0.1:{drifting.port}") as channel,
        Client(f"127.0.0.1:{drifting.port}", retry=Retry(attempts=1)) as client,  # which shows what one call meets
    ):
        run = OnnxRuntimeEngine.run
        patch.setattr(OnnxRuntimeEngine, "run", lambda self, sentences: run(self, sentences) + np.float32(off[0]))
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", SERVICE):
            watched = health.Watch(health_pb2.HealthCheckRequest(service=service), timeout=TIMEOUT_S)
            assert any(answer.status == health_pb2.HealthCheckResponse.NOT_SERVING for answer in watched)
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"http://127.0.0.1:{drifting.http_port}/readyz")
        with pytest.raises(NotServingError):
            client.encode(["anyone?"])
        off[0] = 0.0
        watched = health.Watch(health_pb2.HealthCheckRequest(service=SERVICE), timeout=TIMEOUT_S)
        assert any(answer.status == health_pb2.HealthCheckResponse.SERVING for answer in watched)
        assert urllib.request.urlopen(f"http://127.0.0.1:{drifting.http_port}/readyz").status == 200
        assert client.encode(["there will be dragons"]).shape == (1, 512)
    assert drifting.service.embedder.model is not right
    assert drifting.stop()
