"""Helm's library, started once."""

from collections.abc import Iterator

import pytest

from .charts import Helm, running


@pytest.fixture(scope="session")
def helm() -> Iterator[Helm]:
    """Helm, which has read nothing yet."""
    with running() as started:
        yield started
