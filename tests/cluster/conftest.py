"""Isolation of the tests of Ray: they run apart, with loopback only (`make ray-test`)."""

import socket

import pytest


@pytest.fixture(scope="session", autouse=True)
def _apart() -> None:
    """Fail where there is an interface that others reach: Ray listens on every one."""
    others = [name for _, name in socket.if_nameindex() if name != "lo"]
    if others:
        pytest.fail(f"this network has {', '.join(others)}: run these by make ray-test, which has loopback only")
