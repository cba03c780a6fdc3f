"""Transports, each gone by its test's end with nothing left in it.

They have one shard, in which all that a call or a connection meets is: so bounds and orders are exact, and one thread
may step it. Modules about what shards share have four too.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("bothends_native.transport", reason="bothends-native has no transport here", exc_type=ImportError)

from tests.support.shards import VARIABLE, asked

from .fast import Fast
from .served import Served
from .victim import MAX_GROWTH_MB, SMALL, Victim, attacked

ONE, FOUR = pytest.param(1, id=pytest.HIDDEN_PARAM), pytest.param(4, id="4-shards")
OF_SEVERAL = {"test_shards", "test_shards_batches"}
"""Modules about nothing but several shards: with one, others prove the same."""
SHARED = {
    "test_attacks",
    "test_fairness",
    "test_header_bombs",
    "test_networks",
    "test_places",
    "test_public_attacks",
    "test_refusals",
    "test_shares",
    "test_threads",
    "test_turns",
    "test_turns_of_python",
    "test_unread",
}
"""Modules about turns, shares, places, bounds and attacks, which have code of their own where shards are several."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests of what shards share with four of them as well, unless a number was asked for."""
    module = metafunc.module.__name__.rpartition(".")[2]
    if not asked() and module in SHARED | OF_SEVERAL:
        shards = [FOUR] if module in OF_SEVERAL else [ONE, FOUR]
        metafunc.parametrize("shards", shards, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def shards(request: pytest.FixtureRequest) -> Iterator[int]:
    """Number of the parts of a transport that doesn't say it, here and in processes that a test starts."""
    number = getattr(request, "param", None) or asked() or 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(number))
        yield number


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
def victim(shards: int) -> Iterator[Victim]:
    """A transport that is attacked by a module's tests, of which little is left in the end."""
    with attacked(**SMALL, transport_shards=shards) as victim:
        yield victim
        victim.let_go()
        assert victim.kept_mb < MAX_GROWTH_MB / 4
