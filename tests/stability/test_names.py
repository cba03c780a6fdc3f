"""Names that a release had are there: of Python, commands, variables, metrics, paths, reasons and files' keys."""

import pytest

import bothends

from .interface import Listing, listing, lost
from .released import names


@pytest.fixture(scope="module")
def now() -> Listing:
    """What the code at hand offers."""
    return listing()


def test_nothing_that_was_released_is_lost(now: Listing) -> None:
    """What goes was deprecated for two minor versions: docs/stability.md. `make api` keeps what a release offers."""
    assert lost(names(), now) == []


def test_public_names_of_python_are_those_that_dir_shows() -> None:
    """Whatever else the package imports is no part of it; all that `__all__` names is."""
    shown = dir(bothends)
    assert set(bothends.__all__) | {"Encoder", "__version__"} == set(shown)
    assert all(hasattr(bothends, name) for name in shown)
