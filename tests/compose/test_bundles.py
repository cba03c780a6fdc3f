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


def test_a_wrong_bundle_fails_the_start_and_says_why(
    other: Callable[..., Stack], toy_bundle: Bundle, tmp_path: Path
) -> None:
    """An error ends `up --wait`, soon, and the log has one readable line."""
    path = folder(toy_bundle, tmp_path / "changed")
    with (path / "model.onnx").open("ab") as model:
        model.write(b"\x00")
    project = other(BUNDLE=str(path))
    with pytest.raises(RuntimeError, match="embedder"):
        project.up("embedder")
    log = project.compose("logs", "--no-log-prefix", "embedder")
    assert "Error: /bundle/model.onnx has changed since its export" in log
    assert "Traceback" not in log


def test_a_missing_bundle_is_named(other: Callable[..., Stack], tmp_path: Path) -> None:
    """A path that isn't there is said to be missing, and not made up as an empty folder."""
    missing = tmp_path / "mistyped"
    with pytest.raises(RuntimeError, match=f"path does not exist: {missing}"):
        other(BUNDLE=str(missing)).up("embedder")
    assert not missing.exists()
