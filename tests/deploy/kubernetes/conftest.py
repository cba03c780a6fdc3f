"""Each way in which the manifests may be put together."""

import pytest

from .manifests import VARIANTS, Resource, variant


@pytest.fixture(params=VARIANTS)
def resources(request: pytest.FixtureRequest) -> list[Resource]:
    """Resources that would be applied."""
    return variant(request.param)
