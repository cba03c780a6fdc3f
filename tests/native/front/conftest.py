"""Fronts, each gone by its test's end with nothing left in it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("bothends_native.front", reason="bothends-native has no front here", exc_type=ImportError)

from .served import Served
from .victim import MOST_GROWTH_MB, SMALL, Victim, attacked


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Makes fronts, with bounds other than the usual."""
    made: list[Served] = []

    def make(*listeners: Any, **limits: Any) -> Served:
        made.append(Served(*listeners, **limits))
        return made[-1]

    yield make
    for served in made:
        served.stop()


@pytest.fixture
def echo(serve: Callable[..., Served]) -> Served:
    """A front with its usual bounds that answers with what it was asked."""
    return serve().answering()


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    """A front that is attacked by a module's tests, of which little is left in the end."""
    with attacked(**SMALL) as victim:
        yield victim
        victim.let_go()
        assert victim.growth_mb < MOST_GROWTH_MB
