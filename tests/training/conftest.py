"""A toy folder and a whole run in it, shared by all tests of training, which leave both as they are."""

from pathlib import Path

import pytest

from tests.support import toy

from .runs import run


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that a toy recipe names. Tests that change files make their own."""
    return toy.write(tmp_path_factory.mktemp("toy")).parent


@pytest.fixture(scope="session")
def uninterrupted(folder: Path) -> Path:
    """The checkpoint of a toy run that nothing disturbed, in `folder` as "before"."""
    run(toy.recipe(), folder, folder / "before")
    return folder / "before"
