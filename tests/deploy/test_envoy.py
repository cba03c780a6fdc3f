"""A real Envoy with deploy/envoy/envoy.yaml before real servers: it spreads calls, and changes no answer."""

import yaml

from bothends.settings import Settings
from bothends.wire.messages import SERVICE
from tests.support.envoys import CONFIG, binary
from tests.support.ran import ran


def test_envoy_accepts_its_configuration() -> None:
    """Envoy takes the file as it stands there, and calls no part of it deprecated."""
    flags = ["--log-level", "warning", "--use-dynamic-base-id"]
    found = ran(binary(), "--mode", "validate", "-c", CONFIG, *flags, timeout=60)
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
