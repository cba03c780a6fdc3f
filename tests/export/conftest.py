"""The small encoder as `bothends export` makes a bundle of it, with what PyTorch computes as its golden embeddings."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bothends.model.bundle import Bundle
from bothends_export.checkpoint import Checkpoint
from bothends_export.export import export


@pytest.fixture(scope="session")
def toy_bundle(toy_checkpoint: tuple[Path, Checkpoint], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The small checkpoint, exported. Tests that change files copy it first."""
    return export(toy_checkpoint[1], tmp_path_factory.mktemp("bundles") / "toy")


@pytest.fixture(scope="session")
def make_bundle(
    make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Bundle]:
    """Makes a checkpoint of random weights, of the shape asked for, and exports it."""
    return lambda **shape: export(make_checkpoint(**shape)[1], tmp_path_factory.mktemp("bundles") / "made")
