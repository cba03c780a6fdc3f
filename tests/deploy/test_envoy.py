"""A real Envoy with deploy/envoy/envoy.yaml before real servers: it spreads calls, and changes no answer."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest
import yaml

from bothends import Client, DeadlineError, Retry, SentenceError
from bothends.settings import Settings
from bothends.wire.messages import SERVICE
from tests.support.envoys import CONFIG, binary, envoy, stat
from tests.support.serving import Running, answered, finish, stand_still, start
from tests.support.until import until

ONCE = Retry(attempts=1)


@pytest.fixture
def three() -> Iterator[list[Running]]:
    """Three servers of which each has one worker."""
    with ExitStack() as stack:
        servers = []
        for _ in range(3):
            servers.append(start("--workers", "1", selftest_s=0))
            stack.callback(finish, servers[-1])
        yield servers


def targets(servers: list[Running]) -> list[str]:
    return [server.target for server in servers]


def test_envoy_accepts_its_configuration() -> None:
    """Envoy takes the file as it stands there, and calls no part of it deprecated."""
    command = [binary(), "--mode", "validate", "-c", CONFIG, "--log-level", "warning", "--use-dynamic-base-id"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 0, found.stderr
    assert "eprecated" not in found.stdout + found.stderr


def test_its_figures_are_ours() -> None:
    """Envoy asks for our health, and has room for what sixteen servers take by default."""
    (cluster,) = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["static_resources"]["clusters"]
    (check,) = cluster["health_checks"]
    (limits,) = cluster["circuit_breakers"]["thresholds"]
    assert check["grpc_health_check"]["service_name"] == SERVICE
    most = Settings.model_fields["max_concurrent_requests"].default
    assert limits["max_requests"] == limits["max_pending_requests"] == 16 * most
    ping = cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]
    keepalive = ping["explicit_http_config"]["http2_protocol_options"]["connection_keepalive"]["interval"]
    assert float(keepalive.removesuffix("s")) > Settings.model_fields["min_ping_s"].default


@pytest.mark.slow
def test_calls_are_spread_and_answers_are_the_same_bytes(three: list[Running]) -> None:
    """Bytes are the same in one request, in several, and in a stream."""
    sentences = [f"dragon number {number}" for number in range(600)]
    with Client(three[0].target) as client:
        expected = client.encode(sentences)
    with envoy(targets(three), healthy=3) as (target, _), Client(target) as client:
        before = [answered(server) for server in three]
        assert client.encode(sentences).tobytes() == expected.tobytes()
        rows = [row for row in client.encode_stream(sentences) if isinstance(row, np.ndarray)]
        assert np.array(rows).tobytes() == expected.tobytes()
        for _ in range(60):
            client.encode("a")
        spread = [answered(server) - one for server, one in zip(three, before, strict=True)]
    assert min(spread) >= 3, spread  # drawn at random


@pytest.mark.slow
def test_errors_keep_their_details_and_deadlines_count(three: list[Running]) -> None:
    """An error names its sentence, and a deadline ends a call, also where the server stands still."""
    with envoy(targets(three), healthy=3) as (target, page), Client(target, retry=ONCE) as client:
        with pytest.raises(SentenceError, match="empty") as raised:
            client.encode(["a", " "])
        assert raised.value.index == 1
        for server in three:
            stand_still(server)
        with pytest.raises(DeadlineError):
            client.encode(["a"], timeout_s=0.3)
        for server in three:
            server.process.send_signal(signal.SIGCONT)
        until(lambda: stat(page, "upstream_rq_active") == 0)  # the server's end of it is over
