"""Probes of the chart, asked as a kubelet asks them, of real servers in each state that a pod can be in."""

import http.client
import os
import re
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trustme

from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.model.bundle import Bundle
from bothends.server.keys import new
from tests.support.doors import serving
from tests.support.serving import Running, finish, held_open, start
from tests.support.until import TIMEOUT_S, until

from .charts import Helm
from .objects import Resource, container, environment

STARTUP, READINESS, LIVENESS = KINDS = ("startupProbe", "readinessProbe", "livenessProbe")


def ask(probe: Resource, ports: Mapping[str, int], *, max_wait_s: float = TIMEOUT_S) -> bool:
    """Return True if a kubelet would be content with the answer within `max_wait_s`.

    `ports` are where this server has what the chart names.
    """
    asked = probe["httpGet"]
    return _get(ports[asked["port"]], asked["path"], max_wait_s)


def _get(port: int, path: str, max_wait_s: float) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=max_wait_s)
    try:
        connection.request("GET", path)
        return 200 <= connection.getresponse().status < 400
    except OSError:
        return False
    finally:
        connection.close()


def answers(resources: list[Resource], ports: Mapping[str, int]) -> tuple[bool, ...]:
    """Outcomes of the probes for startup, readiness and liveness."""
    return tuple(ask(container(resources)[kind], ports) for kind in KINDS)


def ports_of(running: Running) -> dict[str, int]:
    health = re.search(r"health +http://\S+:(\d+)", running.banner)
    assert health is not None
    return {"health": int(health[1])}


@contextmanager
def started(resources: list[Resource], mounts: Mapping[str, Path] | None = None) -> Iterator[Running]:
    """Start a server with a pod's environment, whose mounts are folders here."""
    chosen = environment(resources)
    for mount, folder in (mounts or {}).items():
        chosen = {name: _moved(value, mount, folder) for name, value in chosen.items()}
    if "OTEL_EXPORTER_OTLP_ENDPOINT" in chosen:
        chosen["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:1"  # nobody is there
    running = start("--health-port", "0", environment={**os.environ, **chosen})
    try:
        yield running
    finally:
        finish(running)


def _moved(value: str, mount: str, folder: Path) -> str:
    return str(folder) + value.removeprefix(mount) if value == mount or value.startswith(f"{mount}/") else value


@pytest.mark.slow
def test_a_pod_is_ready_while_it_serves_and_alive_until_it_ends(helm: Helm) -> None:
    """A pod is ready when it serves and when it is busy; from SIGTERM on it gets no calls, and answers those it has."""
    pods = helm.variant("cpu")
    with started(pods) as running:
        ports = ports_of(running)
        assert answers(pods, ports) == (True, True, True)
        with held_open(running) as answered:
            assert answers(pods, ports) == (True, True, True)
            running.process.send_signal(signal.SIGTERM)
            until(lambda: not ask(container(pods)[READINESS], ports))
            assert ask(container(pods)[LIVENESS], ports)
            assert [len(answer.embeddings) for answer in answered()] == [1000]
        assert running.process.wait(60) == 0
    assert answers(pods, ports) == (False, False, False)


@pytest.mark.slow
def test_a_pod_with_all_that_may_be_chosen_is_too(helm: Helm, english: Bundle, tmp_path: Path) -> None:
    """A bundle of one's own, keys, TLS and tracing come each from a folder that holds what its volume would."""
    pods = helm.variant("cpu+all")
    mounts = {mount["mountPath"]: tmp_path / mount["name"] for mount in container(pods)["volumeMounts"]}
    assert set(mounts) == {"/bundle", "/keys", "/tls"}
    shutil.copytree(english.path, mounts["/bundle"])
    mounts["/keys"].mkdir()
    (mounts["/keys"] / "keys.toml").write_text(new("search")[1])
    mounts["/tls"].mkdir()
    issued = trustme.CA().issue_cert("bothends-headless.bothends.svc")
    (mounts["/tls"] / "tls.crt").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    (mounts["/tls"] / "tls.key").write_bytes(issued.private_key_pem.bytes())
    with started(pods, mounts) as running:
        assert answers(pods, ports_of(running)) == (True, True, True)


@pytest.mark.slow
def test_a_pod_whose_model_is_unfit_gets_no_calls_and_is_not_killed(helm: Helm, english: Bundle) -> None:
    """A pod with an unfit model is alive, and ready again once its model is fit."""
    pods = helm.variant("cpu")
    with (
        serving(english, engine="onnxruntime", selftest_s=0.01, health_port=0) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        ports = {"health": server.health_port or 0}
        off: list[Any] = [0.5]
        run = OnnxRuntimeEngine.run
        patch.setattr(OnnxRuntimeEngine, "run", lambda self, sentences: run(self, sentences) + np.float32(off[0]))
        until(lambda: not ask(container(pods)[READINESS], ports))
        assert ask(container(pods)[LIVENESS], ports)
        off[0] = 0.0
        until(lambda: ask(container(pods)[READINESS], ports))


def test_liveness_is_patient_and_readiness_is_not(resources: list[Resource]) -> None:
    """Pods leave balancing within seconds, and are killed only after minutes in which not one answer came."""

    def max_wait_s(kind: str) -> int:
        probe = container(resources)[kind]
        return int(probe["periodSeconds"] * probe.get("failureThreshold", 3))

    assert max_wait_s(READINESS) <= 5
    assert max_wait_s(LIVENESS) >= 300
    assert max_wait_s(STARTUP) >= 60  # as the image's own health check
