"""A server on each transport, and what our own client gets from it."""

from collections.abc import Iterator

import numpy as np
import pytest

from bothends import Client
from tests.support.serving import Running, finish, start

from .asked import SENTENCES
from .http_clients import ASKED


@pytest.fixture(scope="session", params=["native", "grpcio"])
def served(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A server in a process of its own, once on the native transport and once on grpcio."""
    if request.param == "native":
        pytest.importorskip(
            "bothends_native.transport", reason="bothends-native lacks its transport here", exc_type=ImportError
        )
    # One worker, so that ENDLESS takes seconds on any machine. A hurried call may be refused beside a self-test.
    started = start("--transport", request.param, "--workers", "1", selftest_s=0)
    yield started
    finish(started)


@pytest.fixture(scope="session")
def expected(served: Running) -> np.ndarray:
    """Rows of SENTENCES as our own client gets them, [500, 512]."""
    with Client(served.target) as client:
        return client.encode(SENTENCES)


@pytest.fixture(scope="session")
def unit_rows(served: Running) -> np.ndarray:
    """Rows of http_clients.ASKED as our own client gets them, of unit length, [40, 512]."""
    with Client(served.target) as client:
        return client.embed(ASKED, normalize=True).rows
