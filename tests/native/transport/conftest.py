"""Transports, each gone by its test's end with nothing left in it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("bothends_native.transport", reason="bothends-native has no transport here", exc_type=ImportError)

from .fast import Fast
from .served import Served
from .victim import MAX_GROWTH_MB, SMALL, Victim, attacked


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Makes transports, with bounds other than the usual."""
    made: list[Served] = []

    def make(*listeners: Any, **limits: Any) -> Served:
        made.append(Served(*listeners, **limits))
        return made[-1]

    yield make
    for served in made:
        served.stop()


@pytest.fixture
def echo(serve: Callable[..., Served]) -> Served:
    """A transport with its usual bounds that answers with what it was asked."""
    return serve().answering()


@pytest.fixture
def fast(serve: Callable[..., Served]) -> Iterator[Fast]:
    """A transport that embeds without Python what is small and plain, and echoes all else."""
    made = Fast(serve())
    yield made
    made.stop()


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    """A transport that is attacked by a module's tests, of which little is left in the end."""
    with attacked(**SMALL) as victim:
        yield victim
        victim.let_go()
        assert victim.kept_mb < MAX_GROWTH_MB / 4
