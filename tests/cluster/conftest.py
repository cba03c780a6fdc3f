"""What tests of Ray have in common: they run apart, with loopback only (`make ray-test`)."""

import socket

import pytest


@pytest.fixture(scope="session", autouse=True)
def _apart() -> None:
    """Ray listens on every interface: it isn't started where there is one that others reach."""
    others = [name for _, name in socket.if_nameindex() if name != "lo"]
    if others:
        pytest.fail(f"this network has {', '.join(others)}: run these by make ray-test, which has loopback only")
