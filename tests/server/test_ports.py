"""Ports that others can reach are named at the start."""

import logging
from pathlib import Path

import pytest

from bothends.model.bundle import Bundle
from bothends.server.ports import open_doors
from bothends.settings import Settings
from tests.support.doors import serving

TLS = {"tls_cert": Path("c"), "tls_key": Path("k")}
KEYS = {"api_keys": Path("k")}


@pytest.mark.parametrize(
    ("bound_to", "settings", "missing"),
    [
        ("127.0.0.1", {}, []),
        ("127.1.2.3", {}, []),
        ("::1", {}, []),
        ("0.0.0.0", {}, ["--tls-cert", "--api-keys"]),  # noqa: S104  what is warned of
        ("::", {}, ["--tls-cert", "--api-keys"]),
        ("10.0.0.1", TLS, ["--api-keys"]),
        ("10.0.0.1", KEYS, ["--tls-cert"]),
        ("10.0.0.1", TLS | KEYS, []),
        ("10.0.0.1", TLS | {"tls_client_ca": Path("a")}, []),
        ("0.0.0.0", {"published_at": "127.0.0.1"}, []),  # noqa: S104
        ("0.0.0.0", {"published_at": "localhost"}, []),  # noqa: S104
        ("127.0.0.1", {"published_at": "0.0.0.0"}, ["--tls-cert", "--api-keys"]),  # noqa: S104
        ("127.0.0.1", {"published_at": "embedder.example.org"}, ["--tls-cert", "--api-keys"]),
    ],
)
def test_what_is_open_to_others_is_told(bound_to: str, settings: dict[str, object], missing: list[str]) -> None:
    """A line for each, which ends with what to set."""
    warnings = list(open_doors(Settings(**settings), bound_to))
    assert [warning.rsplit(" ", 1)[1] for warning in warnings] == missing


def test_a_start_warns(toy_bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    """The address that a container is published at counts; a start on loopback alone says nothing."""
    for published_at, lines in (("0.0.0.0", 2), (None, 0)):  # noqa: S104
        caplog.clear()
        with serving(toy_bundle, published_at=published_at):
            warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
            assert len(warnings) == lines
            assert all(w.getMessage().startswith("0.0.0.0 is reachable from outside without") for w in warnings)
