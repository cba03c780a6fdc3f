"""Helm's library, started once, and each way in which the chart may be put together."""

from collections.abc import Iterator

import pytest

from .charts import VARIANTS, Helm, running
from .objects import Resource


@pytest.fixture(scope="session")
def helm() -> Iterator[Helm]:
    """Helm, which has read nothing yet."""
    with running() as started:
        yield started


@pytest.fixture(params=VARIANTS)
def resources(request: pytest.FixtureRequest, helm: Helm) -> list[Resource]:
    """Objects that would be applied."""
    return helm.variant(request.param)
