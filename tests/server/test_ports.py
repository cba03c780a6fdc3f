"""Ports: those that others can reach are named at the start, and health has one where nobody is in its way."""

import logging
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from bothends.errors import StartupError
from bothends.model.bundle import Bundle
from bothends.server.ports import Ports, open_doors
from bothends.settings import Settings
from tests.support.doors import serving, write_pair
from tests.support.until import until

TLS = {"tls_cert": Path("c"), "tls_key": Path("k")}
KEYS = {"api_keys": Path("k")}


@pytest.mark.parametrize(
    ("bound_to", "settings", "missing"),
    [
        ("127.0.0.1", {}, []),
        ("::1", {}, []),
        ("0.0.0.0", {}, ["--tls-cert", "--api-keys"]),  # noqa: S104  what is warned of
        ("10.0.0.1", TLS, ["--api-keys"]),
        ("10.0.0.1", KEYS, ["--tls-cert"]),
        ("10.0.0.1", TLS | {"tls_client_ca": Path("a")}, []),
    ],
)
def test_what_is_open_to_others_is_told(bound_to: str, settings: dict[str, object], missing: list[str]) -> None:
    """A line for each, which ends with what to set."""
    warnings = list(open_doors(Settings(**settings), bound_to))
    assert [warning.rsplit(" ", 1)[1] for warning in warnings] == missing


def test_a_transport_that_believes_no_proxy_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """Where grpcio serves, callers behind a proxy aren't told apart, whatever the setting."""
    for settings, count in (({}, 0), ({"trusted_proxies": "10.0.0.7"}, 1)):
        caplog.clear()
        Ports(Settings(port=0, http_port=0, transport="grpcio", **settings)).close()
        told = [record.getMessage() for record in caplog.records if record.name == "bothends.server.ports"]
        assert [message.startswith("--trusted-proxies says nothing to grpcio") for message in told] == [True] * count


def test_a_start_warns(toy_bundle: Bundle, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start on an address that others reach warns; one on loopback says nothing."""
    for is_local, lines in ((False, 2), (True, 0)):
        monkeypatch.setattr("bothends.server.ports.is_loopback", lambda _, answer=is_local: answer)
        caplog.clear()
        with serving(toy_bundle):
            warnings = [record for record in caplog.records if record.name == "bothends.server.ports"]
            assert [record.levelno for record in warnings] == [logging.WARNING] * lines
            assert all(w.getMessage().startswith("127.0.0.1 is reachable from outside without") for w in warnings)


def test_health_has_a_port_of_its_own(toy_bundle: Bundle, tmp_path: Path) -> None:
    """Probes are answered in plain on it, by yes or no and nothing else, however crowded or shut the HTTP port is."""
    write_pair(tmp_path, trustme.CA().issue_cert("127.0.0.1"))
    tls: dict[str, Any] = {"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem"}
    with serving(toy_bundle, health_port=0, max_connections=1, **tls) as server:
        url = f"http://127.0.0.1:{server.health_port}"
        with closing(socket.create_connection(("127.0.0.1", server.http_port))):
            assert [httpx.get(f"{url}{path}").status_code for path in ("/healthz", "/readyz")] == [200, 200]
        until(lambda: server.http_connections == 0)
        # On one connection: until the server notices that one has ended, another is too many for all but a probe.
        with httpx.Client(base_url=url) as caller:
            assert [caller.get(path).status_code for path in ("/metrics", "/", "/v1/models")] == [404] * 3
            assert caller.post("/v1/embeddings", json={"model": "toy", "input": "a"}).status_code == 404
        assert f"health     {url}  /healthz /readyz" in server.banner()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/healthz")


def test_a_health_port_that_is_taken_leaves_the_others_free(toy_bundle: Bundle) -> None:
    with serving(toy_bundle, health_port=0) as server:
        taken = server.health_port
        ports = {"port": 0, "http_port": 0, "health_port": taken}
        with pytest.raises(StartupError, match=f":{taken}: Address already in use; choose another --health-port"):
            Ports(Settings(**ports))
