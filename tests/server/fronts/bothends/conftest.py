"""A connection of one test's own."""

from collections.abc import Iterator

import grpc
import pytest

from bothends.server.server import Server
from tests.support.doors import connected


@pytest.fixture
def channel(server: Server) -> Iterator[grpc.Channel]:
    with connected(server) as own:
        yield own
