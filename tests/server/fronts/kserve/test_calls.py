"""Calls of the Open Inference Protocol from outside: keys, shares, load, deadlines, the end; and probes."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from bothends.batching.request import Request
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.errors import BothendsError, DrainingError, NotServingError, OverloadedError, QuotaError
from bothends.kserve.v2 import inference_pb2
from bothends.model.bundle import Bundle
from bothends.server.context import CallContext
from bothends.server.fronts.kserve.methods import SERVICE
from bothends.server.grpc.calls.source import GrpcInbound
from bothends.server.keys import new
from bothends.server.server import Server
from bothends.settings import Settings
from bothends.wire.status import from_status
from tests.support.doors import TIMEOUT_S, connected, put, serving
from tests.support.garbage import left_in_circles
from tests.support.infer import Stub, request
from tests.support.until import until

LONG = ["word " * 250] * 300
"""Seconds of work for the model."""


def probed(stub: Stub) -> tuple[bool, bool, bool]:
    """Live, ready, and the model ready."""
    return (
        stub.ServerLive(inference_pb2.ServerLiveRequest(), timeout=TIMEOUT_S).live,
        stub.ServerReady(inference_pb2.ServerReadyRequest(), timeout=TIMEOUT_S).ready,
        stub.ModelReady(inference_pb2.ModelReadyRequest(name="english"), timeout=TIMEOUT_S).ready,
    )


def error_of(call: Callable[[], object]) -> BothendsError:
    with pytest.raises(grpc.RpcError) as raised:
        call()
    status = rpc_status.from_call(raised.value)
    assert status is not None, raised.value
    if raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        assert any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in status.details)
    return from_status(status)


def queued(server: Server) -> float:
    return server.metrics.registry.get_sample_value("bothends_queue_sentences") or 0.0


def counted(server: Server, code: str) -> float:
    labels = {"method": "ModelInfer", "code": code}
    return server.metrics.registry.get_sample_value("bothends_requests_total", labels) or 0.0


@contextmanager
def one(bundle: Bundle, **settings: Any) -> Iterator[tuple[Server, Stub]]:
    with serving(bundle, **settings) as server, connected(server) as channel:
        yield server, Stub(channel)


def test_keys_are_asked_for_but_by_probes(english: Bundle, tmp_path: Path) -> None:
    """Probes are open, as health is; each other method wants a key, and a key's share bounds what it may have."""
    shares = {"free": "", "narrow": "concurrent_sentences = 100\n", "slow": "sentences_per_s = 2\n"}
    made = {name: new(name) for name in shares}
    put(tmp_path / "keys.toml", "".join(entry + shares[name] for name, (_, entry) in made.items()).encode())
    holder = {name: (("authorization", f"Bearer {key}"),) for name, (key, _) in made.items()}
    with one(english, api_keys=tmp_path / "keys.toml") as (_, stub):
        assert probed(stub) == (True, True, True)
        asked = inference_pb2.ModelConfigRequest(name="english")
        for method, message in (
            (stub.ServerMetadata, inference_pb2.ServerMetadataRequest()),
            (stub.ModelMetadata, inference_pb2.ModelMetadataRequest(name="english")),
            (stub.ModelConfig, asked),
            (stub.ModelInfer, request("a")),
        ):
            with pytest.raises(grpc.RpcError) as raised:
                method(message)
            assert raised.value.code() == grpc.StatusCode.UNAUTHENTICATED
            method(message, metadata=holder["free"])
        assert stub.ModelConfig(asked, metadata=holder["narrow"]).config.max_batch_size == 100
        assert stub.ModelConfig(asked, metadata=holder["free"]).config.max_batch_size == 1024
        stub.ModelInfer(request(*["a"] * 100), metadata=holder["narrow"])
        assert "limit of 100" in str(
            error_of(lambda: stub.ModelInfer(request(*["a"] * 101), metadata=holder["narrow"]))
        )
        stub.ModelInfer(request(*["a"] * 8), metadata=holder["slow"])
        assert isinstance(error_of(lambda: stub.ModelInfer(request("a"), metadata=holder["slow"])), QuotaError)
        stub.ModelInfer(request("a"), metadata=holder["free"])


def test_a_full_server_says_so_and_looks_alive(english: Bundle, gate: threading.Event) -> None:
    """RESOURCE_EXHAUSTED with RetryInfo, while probes are answered; a caller who leaves makes room at once."""
    with one(english, max_concurrent_requests=1) as (server, stub):
        gate.clear()
        first = stub.ModelInfer.future(request(*LONG))
        until(lambda: queued(server) > 100)
        assert isinstance(error_of(lambda: stub.ModelInfer(request("a"))), OverloadedError)
        assert probed(stub) == (True, True, True)
        first.cancel()
        until(lambda: counted(server, "CANCELLED") == 1)
        until(lambda: queued(server) == 0)
        gate.set()
        stub.ModelInfer(request("a"))
        until(lambda: [counted(server, code) for code in ("OK", "RESOURCE_EXHAUSTED")] == [1, 1])


def test_a_deadline_ends_what_was_accepted(english: Bundle) -> None:
    with one(english, engine="onnxruntime") as (server, stub):
        with pytest.raises(grpc.RpcError) as raised:
            stub.ModelInfer(request(*LONG), timeout=0.5)
        assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        until(lambda: counted(server, "DEADLINE_EXCEEDED") + counted(server, "CANCELLED") == 1)  # by whose clock it was
        until(lambda: queued(server) == 0)


def test_a_stopping_server_finishes_what_it_accepted_and_is_live_but_not_ready(
    english: Bundle, gate: threading.Event
) -> None:
    """Newcomers are told UNAVAILABLE; probes, for as long as it drains, that others should be asked."""
    server = Server(Settings(bundle=english.path, device="cpu", workers=1, port=0, http_port=0))
    server.start()
    with connected(server) as channel, ThreadPoolExecutor(1) as other:
        stub = Stub(channel)
        gate.clear()
        accepted = stub.ModelInfer.future(request(*LONG))
        until(lambda: queued(server) > 100)
        assert probed(stub) == (True, True, True)
        stopped = other.submit(server.stop)
        until(lambda: not probed(stub)[1])
        assert probed(stub) == (True, False, False)
        assert isinstance(error_of(lambda: stub.ModelInfer(request("a"))), DrainingError)
        gate.set()
        assert list(accepted.result().outputs[0].shape) == [300, 512]
        assert stopped.result(timeout=TIMEOUT_S)


def test_an_unfit_model_is_not_ready(english: Bundle) -> None:
    """A failed self-test is told to probes, to health by this service's name, and to callers."""
    asked = health_pb2.HealthCheckRequest(service=SERVICE)
    statuses = health_pb2.HealthCheckResponse
    with (
        one(english, engine="onnxruntime", selftest_s=0.01) as (server, stub),
        pytest.MonkeyPatch.context() as patch,
        connected(server) as other,
    ):
        health = health_pb2_grpc.HealthStub(other)
        off = [0.5]
        run = OnnxRuntimeEngine.run
        patch.setattr(OnnxRuntimeEngine, "run", lambda self, sentences: run(self, sentences) + np.float32(off[0]))
        until(lambda: probed(stub) == (True, False, False))
        until(lambda: health.Check(asked).status == statuses.NOT_SERVING)
        assert isinstance(error_of(lambda: stub.ModelInfer(request("a"))), NotServingError)
        off[0] = 0.0
        until(lambda: probed(stub) == (True, True, True))
        until(lambda: health.Check(asked).status == statuses.SERVING)


def test_only_what_is_served_is_ready(server: Server) -> None:
    """A probe, which needs no key, learns nothing else of other models and versions."""
    version = server.service.embedder.model.config.version
    with connected(server) as channel:
        stub = Stub(channel)
        for name, asked, ready in (
            ("english", "", True),
            ("english", version, True),
            ("english", "0", False),
            ("", "", False),
            ("x" * 4_000, "", False),
        ):
            answer = stub.ModelReady(inference_pb2.ModelReadyRequest(name=name, version=asked))
            assert answer.ready == ready
        with pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary(f"/{SERVICE}/ModelReady")(b"\xff")
        assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_call_leaves_nothing_to_the_garbage_collector(server: Server) -> None:
    """Answered, or refused by any part of it: a circle would pile up until a collection stops all threads."""
    refused = (request("a", b"\xff"), request(""), request("a", model="another"), request("a", outputs=[{"name": "x"}]))
    with connected(server) as channel:
        stub = Stub(channel)

        def ask() -> None:
            stub.ModelInfer(request("a"))
            for bad in refused:
                error_of(lambda bad=bad: stub.ModelInfer(bad))

        assert left_in_circles(ask, GrpcInbound, CallContext, Request) == []
