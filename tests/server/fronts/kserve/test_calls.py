"""Calls of the Open Inference Protocol from outside: keys, shares, load, deadlines, the end; and probes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.errors import NotServingError
from bothends.kserve.v2 import inference_pb2
from bothends.model.bundle import Bundle
from bothends.server.fronts.kserve.methods import SERVICE
from bothends.server.keys import new
from bothends.server.server import Server
from tests.support.doors import connected, put, serving
from tests.support.infer import Stub, request
from tests.support.streams import error_by
from tests.support.until import TIMEOUT_S, until


def probed(stub: Stub) -> tuple[bool, bool, bool]:
    """Live, ready, and the model ready."""
    return (
        stub.ServerLive(inference_pb2.ServerLiveRequest(), timeout=TIMEOUT_S).live,
        stub.ServerReady(inference_pb2.ServerReadyRequest(), timeout=TIMEOUT_S).ready,
        stub.ModelReady(inference_pb2.ModelReadyRequest(name="english"), timeout=TIMEOUT_S).ready,
    )


@contextmanager
def one(bundle: Bundle, **settings: Any) -> Iterator[tuple[Server, Stub]]:
    with serving(bundle, **settings) as server, connected(server) as channel:
        yield server, Stub(channel)


def test_keys_are_asked_for_but_by_probes(english: Bundle, tmp_path: Path) -> None:
    """Probes are open, as health is; the share of a key bounds what its holder may have, and is told of."""
    shares = {"free": "", "narrow": "concurrent_sentences = 100\n"}
    made = {name: new(name) for name in shares}
    put(tmp_path / "keys.toml", "".join(entry + shares[name] for name, (_, entry) in made.items()).encode())
    holder = {name: (("authorization", f"Bearer {key}"),) for name, (key, _) in made.items()}
    with one(english, api_keys=tmp_path / "keys.toml") as (_, stub):
        assert probed(stub) == (True, True, True)
        asked = inference_pb2.ModelConfigRequest(name="english")
        assert stub.ModelConfig(asked, metadata=holder["narrow"]).config.max_batch_size == 100
        assert stub.ModelConfig(asked, metadata=holder["free"]).config.max_batch_size == 1024
        stub.ModelInfer(request(*["a"] * 100), metadata=holder["narrow"])
        assert "limit of 100" in str(
            error_by(lambda: stub.ModelInfer(request(*["a"] * 101), metadata=holder["narrow"]))
        )


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
        assert isinstance(error_by(lambda: stub.ModelInfer(request("a"))), NotServingError)
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
            channel.unary_unary(f"/{SERVICE}/ModelReady", bytes, bytes)(b"\xff")
        assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
