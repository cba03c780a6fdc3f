"""Started servers: one a test, or one a module."""

from collections.abc import Iterator

import pytest

from ..serving import Running, finish, start


@pytest.fixture
def running() -> Iterator[Running]:
    started = start()
    yield started
    finish(started)


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    started = start()
    yield started
    finish(started)
