"""A bundle by one variable: served where it is right, and where it isn't, said why."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bothends import Client
from bothends.model.bundle import Bundle

from .stack import Stack

pytestmark = [pytest.mark.compose, pytest.mark.timeout(600)]


def folder(bundle: Bundle, path: Path) -> Path:
    """A copy of the packaged bundle that everyone may read, as a container's user must."""
    shutil.copytree(bundle.path, path)
    path.chmod(0o755)
    return path


def test_an_own_bundle_is_served(other: Callable[..., Stack], toy_bundle: Bundle, tmp_path: Path) -> None:
    """One variable has another bundle served."""
    project = other(BUNDLE=str(folder(toy_bundle, tmp_path / "toy")))
    project.up("embedder", "gateway")
    with Client(project.address("gateway", 50051)) as client:
        assert client.model().name == "toy"
